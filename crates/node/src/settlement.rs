//! What an operator asks its own L1 node about rollups: what each has settled there.
//!
//! ```text
//! L1 node ─▶ Settlement::posted, what rollups of our own post ───────▶ operator: Safe and Finalized heads,
//!         └▶ Settlement::proven, what others' contracts hold, proven ─▶           in proposals and votes
//! ```
//!
//! Nothing of it is taken from a rollup's own node: its tags are its sequencer's word.

pub mod derive;
mod inbox;
mod nodes;
mod posting;
mod proven;

use futures::{FutureExt as _, future::BoxFuture};
use hum_chain::ReadError;
use hum_types::{B256, BlockRef, ChainId, Confidence, L1Origin};
use std::{fmt::Debug, sync::Arc};

pub use inbox::L1Settlement;
pub use nodes::RpcNodes;
pub use proven::{Nodes, WALK_MAX};

/// A stretch of a rollup's blocks whose data stand on L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Number of its first block.
    pub first: u64,
    /// Hash of the block below the first.
    pub parent: B256,
    /// Its last block, as the data make it.
    pub last: BlockRef,
    /// The hashes of its blocks, from the first on.
    pub hashes: Arc<[B256]>,
}

/// Where a rollup's line of postings goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The next posting's place among what the rollup posted.
    pub next: u64,
    /// The first L1 block that may hold it.
    pub l1_block: u64,
}

/// What a rollup put on L1 at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The rollup.
    pub chain_id: ChainId,
    /// Its place among what the rollup posted, from 0.
    pub index: u64,
    /// The L1 block that holds it.
    pub l1: L1Origin,
    /// What it holds; or why no blocks come from it.
    pub span: Result<Span, Unread>,
}

/// Why no blocks come from a posting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Nobody can rebuild any from it.
    #[error("{0}")]
    Broken(String),
    /// Its data are not to be had at the moment: it is read again.
    #[error("{0}")]
    Away(String),
}

/// What a stack's own contracts have settled as of an L1 block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// This block and all that it stands on.
    Head(BlockRef),
    /// Nothing that anybody could vote for, and why.
    Nothing(String),
}

/// L1 as one node shows it. Every question may be asked again after an error.
pub trait Settlement: Debug + Send + Sync + 'static {
    /// The node's head for a tag.
    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<L1Origin, ReadError>>;

    /// Hash of the node's block with this number; `None` when it has none.
    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>>;

    /// What members posted in L1 blocks `from..=to` of the node's chain, in chain order.
    fn posted(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Posted>, ReadError>>;

    /// Where a member's line goes on above what it posted up to `head`; `None` when nothing that it posted ends there.
    /// `l1_number` is a final block of the node's chain.
    fn place(
        &self,
        chain_id: ChainId,
        head: BlockRef,
        l1_number: u64,
    ) -> BoxFuture<'_, Result<Option<Place>, ReadError>>;

    /// What the contracts of a member that posts nothing hold as settled, proven under the state of this block of the
    /// node's chain, which is final.
    fn proven(&self, chain_id: ChainId, at: L1Origin) -> BoxFuture<'_, Result<Proven, ReadError>> {
        let _ = at;
        std::future::ready(Ok(Proven::Nothing(format!("nobody can prove what chain {chain_id} settles"))))
            .boxed()
    }

    /// The block with this number that a member's block stands on, by headers: at most [`WALK_MAX`] below.
    fn below(
        &self,
        chain_id: ChainId,
        from: BlockRef,
        number: u64,
    ) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        let _ = (from, number);
        let what = format!("headers of chain {chain_id}");
        std::future::ready(Err(ReadError::Missing { method: "block", what })).boxed()
    }
}
