//! What was finalised, by height or digest.

use crate::{
    Digest, Ordered,
    block::{Block, ordered},
};
use bytes::Bytes;
use commonware_codec::Encode as _;
use commonware_consensus::{
    marshal::{core::Mailbox, standard::Standard},
    simplex::scheme::ed25519::Scheme,
    types::Height,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Finalised blocks on this operator's disk. Nothing is pruned unless [`Archive::prune`] is called; memory grows by
/// about 100 bytes for each height kept.
#[derive(Clone)]
pub struct Archive {
    marshal: Mailbox<Scheme, Standard<Block>>,
    tip: Arc<AtomicU64>,
    delivered: Arc<AtomicU64>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("tip", &self.tip()).field("delivered", &self.delivered()).finish()
    }
}

impl Archive {
    pub(crate) fn new(
        marshal: Mailbox<Scheme, Standard<Block>>,
        tip: Arc<AtomicU64>,
        delivered: Arc<AtomicU64>,
    ) -> Self {
        Self { marshal, tip, delivered }
    }

    /// The finalised block at `height`; `None` when it is not here (yet), was pruned, or is the genesis.
    pub async fn block(&self, height: u64) -> Option<Ordered> {
        if height == 0 {
            return None;
        }
        self.marshal.get_block(Height::new(height)).await.map(|block| ordered(&block))
    }

    /// A block by digest, from disk or from what peers lately sent; finalised or not.
    pub async fn block_by_digest(&self, digest: &Digest) -> Option<Ordered> {
        self.marshal.get_block(digest).await.map(|block| ordered(&block))
    }

    /// Simplex's finalisation certificate that was stored for exactly this height, in Commonware's encoding. A height
    /// may have none of its own: a descendant's covers it.
    pub async fn certificate(&self, height: u64) -> Option<Bytes> {
        self.marshal.get_finalization(Height::new(height)).await.map(|finalization| finalization.encode())
    }

    /// Highest height known to be finalised; may run ahead of what was delivered.
    pub fn tip(&self) -> u64 {
        self.tip.load(Ordering::Relaxed)
    }

    /// Highest height that [`crate::Application::finalized`] has finished since start.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Forgets blocks below `height`, in whole sections of 65,536 heights. Peers that are
    /// further behind can then no longer catch up from here. The closing block of the term before the running one must stay.
    pub fn prune(&self, height: u64) {
        self.marshal.prune(Height::new(height));
    }
}
