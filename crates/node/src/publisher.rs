//! The publisher: sign a claim for each block of one rollup, and see that the operators have it.
//!
//! It judges no block and trusts no node: what it signs is either from the sequencer's own feed, or vouched for by the
//! sequencer itself ([`hum_chain::HeadSigner`]).
//!
//! ```text
//! nodes ─block, witness▶ task ─claim▶ signer (sequencer)
//!                          │
//!                          ▼
//!                journal: synced, then ─▶ wire ─▶ every operator
//!                          ▲                        │
//!                          └── what they took ◀─────┘
//! ```
//!
//! Where batches are posted to L1, the [`batcher`] does it, of what the journal holds.
//!
//! Invariants: one hash for each (generation, number), whatever nodes answer and whenever the process dies; no claim is
//! sent before it is on disk; at most `window` claimed blocks above what operators have finalised; whoever is
//! registered gets blocks, but only the word of seats counts.

mod actor;
pub mod batcher;
mod claimed;
mod journal;
mod operators;
mod task;
mod view;

pub use journal::{Identity, Journal, JournalError};
pub use view::{BlockTimes, PublisherHandle, PublisherView, Stage};

use crate::lookout::Lookout;
use batcher::BatcherParts;
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use hum_chain::{Chain, HeadSigner};
use hum_consensus::{PublicKey, Wire};
use std::sync::Arc;

/// How a publisher behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherSettings {
    /// The rollup.
    pub identity: Identity,
    /// The operators to reach, until the lookout knows others.
    pub operators: Vec<PublicKey>,
    /// Where the journal lies in the runtime's storage.
    pub partition: String,
    /// How often the node is asked for its head.
    pub poll_interval_ms: u64,
    /// How often operators that are behind are asked how far they are.
    pub ask_interval_ms: u64,
    /// How long an operator gets to take a block before it is sent again.
    pub resend_after_ms: u64,
    /// The longest wait between two attempts at a node that fails.
    pub retry_most_ms: u64,
    /// Claimed blocks above what operators have finalised.
    pub window: u64,
    /// Whether to retract by itself when the chain no longer holds what was claimed. When not, it stops and says so.
    pub auto_retract: bool,
}

impl PublisherSettings {
    /// The usual behaviour for a rollup and its operators.
    #[must_use]
    pub fn new(identity: Identity, operators: Vec<PublicKey>) -> Self {
        Self {
            partition: format!("publisher-{}", identity.chain_id),
            identity,
            operators,
            poll_interval_ms: 50,
            ask_interval_ms: 500,
            resend_after_ms: 1_000,
            retry_most_ms: 5_000,
            window: 64,
            auto_retract: true,
        }
    }
}

/// What a publisher works with.
#[derive(Debug)]
pub struct PublisherParts {
    /// Nodes of the rollup, the sequencer's own first. At least one.
    pub sources: Vec<Arc<dyn Chain>>,
    /// Signs in the sequencer's name.
    pub signer: Arc<dyn HeadSigner>,
    /// The channel to the operators.
    pub wire: Wire,
    /// Who the operators are when they come and go; without it the first ones are reached.
    pub lookout: Option<Lookout>,
    /// Posts what is claimed to L1; without it nothing is posted.
    pub batcher: Option<BatcherParts>,
}

/// Why a publisher did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum PublisherError {
    /// It has no node to read from.
    #[error("no node of the rollup is configured: set its JSON-RPC URL")]
    NoSource,
    /// It could not read or write what it signed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The network has shut down.
    #[error("the network has shut down")]
    NetworkClosed,
}

/// Open the journal and start. The handle ends only when the journal or the network fails, or when it is aborted.
pub async fn start<E>(
    context: E,
    settings: PublisherSettings,
    parts: PublisherParts,
) -> Result<PublisherHandle, PublisherError>
where
    E: Spawner + Clock + Storage + Metrics,
{
    let Some(node) = parts.sources.first().cloned() else { return Err(PublisherError::NoSource) };
    let (identity, batcher) = (settings.identity, parts.batcher.clone());
    let journal = Journal::open(context.child("journal"), settings.partition.clone(), identity).await?;
    let claimed = claimed::Claimed::new(&journal, batcher.as_ref().map(|batcher| batcher.settings.depth));
    let batcher = batcher.map(|parts| {
        let shared = batcher::Shared::new(&context);
        (shared.clone(), batcher::Actor::new(parts, identity, node, claimed.clone(), shared))
    });
    let posting = batcher.as_ref().map(|(shared, _)| shared.clone());
    let shared = view::Shared::new(&context, identity.chain_id, &journal, posting);
    let actor = actor::Actor::new(settings, parts, journal, claimed, shared.clone());
    let handle = context.child("publisher").spawn(move |context| async move {
        // A task of this one: it ends with it.
        let posting = batcher.map(|(_, batcher)| context.child("batcher").spawn(|clock| batcher.run(clock)));
        let ended = actor.run(context).await;
        drop(posting);
        ended
    });
    Ok(PublisherHandle::new(shared, handle))
}

#[cfg(test)]
mod tests;
