//! What an operator's own nodes of other stacks say: the source of every judgement.
//!
//! ```text
//! role file `nodes` ─▶ StackNodes ─(hum_chain::stack)▶ own node, second source, own L1 node ─▶ OwnBlock ─▶ judging
//! ```
//!
//! A block comes out of here only when it hashes to its hash as far as its stack binds it, names its parent, and has all
//! its receipts. Nothing here re-executes anything.

mod stack;

pub use stack::{NodeEntry, StackNodes, publisher_source};

use crate::config::Member;
use futures::future::BoxFuture;
use hum_types::{B256, BlockRef, ChainId, LaneMessage, TimeMs};
use hum_verify::OutgoingMessage;
use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

/// A block as an own node has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnBlock {
    /// Number, and the hash that is claimed.
    pub block: BlockRef,
    /// The block below, by the hash that is claimed for that.
    pub parent: B256,
    /// State root, or what stands for one.
    pub state_root: B256,
    /// Its time.
    pub time_ms: TimeMs,
    /// Messages that the gateways logged, in order.
    pub messages: Vec<OutgoingMessage>,
    /// What people should look at: not a reason to doubt the block.
    pub warnings: Vec<String>,
}

impl OwnBlock {
    /// The messages without the ids that the gateways gave them.
    #[must_use]
    pub fn sent(&self) -> Vec<LaneMessage> {
        self.messages.iter().map(|message| message.sent.clone()).collect()
    }
}

/// What a node calls itself, and whether that is a recording.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NodeClient {
    /// In its own words.
    pub client: String,
    /// Whether it stands in for a node that nobody joined.
    pub replayed: bool,
}

/// Why nothing can be said of a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnNodeError {
    /// A node did not answer, or not now. Asked again.
    #[error("{0}")]
    Unanswered(String),
    /// A node said what cannot be true, or two sources differ. People should look.
    #[error("{0}")]
    Contradiction(String),
}

/// The own nodes of an operator. Every question may be asked again after an error.
pub trait OwnNodes: Debug + Send + Sync + 'static {
    /// Chains that there is a node of.
    fn chains(&self) -> BTreeSet<ChainId>;

    /// What a chain's node calls itself.
    fn client(&self, member: Arc<Member>) -> BoxFuture<'_, Result<NodeClient, OwnNodeError>>;

    /// A block of the node's canonical chain; `None` while the node does not have it.
    fn block(
        &self,
        member: Arc<Member>,
        number: u64,
    ) -> BoxFuture<'_, Result<Option<OwnBlock>, OwnNodeError>>;
}
