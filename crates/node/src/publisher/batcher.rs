//! The batcher: post the rollup's claimed blocks to L1.
//!
//! ```text
//! journal ─claimed▶ lineage ─▶ node: blocks by hash ─▶ hum-batch ─▶ Submit (L1) ─▶ BatchInbox
//!                                                                      ▲               │
//!                          posted up to ◀──── Chain (own L1 node) ─────┴───────────────┘
//! ```
//!
//! It keeps nothing on disk: what L1 has says where to go on, and the contract refuses what does not follow. It judges no
//! block; operators settle a batch only when it holds the very blocks that they certified.
//!
//! Invariants: only blocks that the journal claimed are posted, `depth` of the newest apart; none is posted while it is
//! being taken back, and none is taken back once it may be posted; a batch ends where the next begins; no more is spent in
//! an hour than was allowed.

mod actor;
mod inbox;
mod lineage;
mod view;

pub use inbox::PostedBatch;
pub use view::BatcherView;

use crate::config::BatchData;
use hum_chain::{Chain, Submit};
use hum_types::Address;
use std::sync::Arc;

pub(super) use actor::Actor;
pub(super) use view::Shared;

/// How a batcher behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatcherSettings {
    /// The contract that batches are posted to.
    pub inbox: Address,
    /// Where the data go; `Auto` only where blobs can be read.
    pub data: BatchData,
    /// Milliseconds between two batches that are not full.
    pub interval_ms: u64,
    /// Most bytes of a batch's data in calldata.
    pub data_bytes_max: usize,
    /// Blocks below the newest claimed one that stay out of a batch.
    pub depth: u64,
    /// Wei that may be spent in one hour.
    pub spend_cap_wei: u128,
    /// Wei below which it raises an alarm.
    pub low_balance_wei: u128,
    /// The longest wait between two attempts that fail.
    pub retry_most_ms: u64,
}

/// What a batcher works with.
#[derive(Debug, Clone)]
pub struct BatcherParts {
    /// How it behaves.
    pub settings: BatcherSettings,
    /// The publisher's own L1 node.
    pub l1: Arc<dyn Chain>,
    /// Sends to L1 from the batcher's account.
    pub submit: Arc<dyn Submit>,
}

#[cfg(test)]
mod tests;
