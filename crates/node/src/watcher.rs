//! The watcher: see every signed lie, keep it, and take it to L1.
//!
//! It needs no stake and no one's trust: a network key that operators know as a watcher's, an L1 node of its own, and an
//! account that pays for gas. Two watchers do no harm: L1 punishes an offence once.
//!
//! ```text
//! operators ─attestations, certificates, claims, checkpoints▶ Detector ─▶ evidence ─▶ Store (synced)
//!                                                                                        │
//!      judges on L1 ◀─── court ◀─── Docket: who is accused of what, and how far it is ◀──┘
//! ```
//!
//! Invariants: nothing is accused that was not checked under the committee in force at its height; evidence is on disk
//! before anything else is done with it; what was not settled on L1 is taken up again after a restart; memory is
//! bounded whatever peers send.

mod accusations;
mod actor;
mod answers;
mod bodies;
mod challenges;
mod committees;
mod court;
mod detector;
mod docket;
mod evidence;
mod heads;
mod judges;
mod posted;
mod snapshots;
mod spend;
mod store;
mod tables;
mod trials;
mod view;

pub use committees::Committees;
pub use court::L1;
pub use detector::{Detector, Finding};
pub use docket::{CaseView, Defendant, EvidenceNumber, Stage};
pub use evidence::{
    AccusedOperator, Charge, DueTable, EvidenceError, Fault, FaultEvidence, HeadError, HeadStatement,
    LaneCharge, LaneStatement, Signed, Statement, StatementError, WordProof,
};
pub use judges::{Judges, PapersError, offence, offence_of};
pub use snapshots::SnapshotError;
pub use store::{EvidenceRecord, StoreError};
pub use view::{WatcherHandle, WatcherView};

use crate::{
    config::{Member, Network, WatcherConfig},
    members::Members,
    runtime::Runtime,
};
use hum_chain::Chain;
use hum_consensus::{Peers, PublicKey, Wire};
use hum_ledger::Genesis;
use hum_types::ChainId;
use std::{collections::BTreeMap, sync::Arc};

/// How a watcher behaves.
#[derive(Debug, Clone)]
pub struct WatcherSettings {
    /// Where the chain of checkpoints starts.
    pub genesis: Genesis,
    /// The L1's chain.
    pub l1_chain_id: ChainId,
    /// The operators to follow: all of them, because each sees others' attestations.
    pub operators: Vec<PublicKey>,
    /// How long an operator gets to answer.
    pub answer_timeout_ms: u64,
    /// How long without news until the operators are asked for some.
    pub quiet_ms: u64,
    /// Wei that may be spent in one hour.
    pub spend_cap_wei: u128,
    /// Wei that bonds of challenges may come to: those that are out, and those that were lost in the hour.
    pub bond_cap_wei: u128,
    /// How long a head's claim is waited and asked for before the head is challenged.
    pub claim_wait_ms: u64,
    /// How often to look whether a snapshot is due, and take it; `None` leaves that to others.
    pub snapshots_every_ms: Option<u64>,
    /// Prefix of its files on the runtime's storage.
    pub partition: String,
}

impl WatcherSettings {
    /// The usual behaviour in a network.
    #[must_use]
    pub fn new(network: &Network, config: &WatcherConfig) -> Self {
        Self {
            genesis: network.genesis.clone(),
            l1_chain_id: network.l1.chain_id,
            operators: network.operators.iter().map(|operator| operator.key.clone()).collect(),
            answer_timeout_ms: 1_000,
            quiet_ms: 1_000,
            spend_cap_wei: config.spend_cap_wei,
            bond_cap_wei: config.bond_cap_wei,
            claim_wait_ms: config.claim_wait_ms,
            snapshots_every_ms: config.snapshots_every_ms,
            partition: "watcher".to_owned(),
        }
    }
}

/// Finds the node of a member that joins; `None` where its heads are not looked at.
pub type Connect = Box<dyn Fn(&Member) -> Option<Arc<dyn Chain>> + Send + Sync>;

/// What a watcher works with.
pub struct WatcherParts {
    /// L1; without it evidence is kept and shown, and waits.
    pub l1: Option<L1>,
    /// Nodes of the members, to hold attested heads against; heads of the others are not looked at.
    pub rollups: BTreeMap<ChainId, Arc<dyn Chain>>,
    /// Who is a member, and how to reach the nodes of those that join; without it their sequencers' claims are watched, their
    /// heads are not looked at.
    pub joining: Option<(Members, Connect)>,
    /// Whom to be connected with, when operators come and go; without it the first ones are followed.
    pub peers: Option<Peers>,
    /// Questions to operators.
    pub fetch: Wire,
    /// News from operators.
    pub feed: Wire,
}

impl std::fmt::Debug for WatcherParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatcherParts").field("rollups", &self.rollups).finish_non_exhaustive()
    }
}

/// Why a watcher did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum WatcherError {
    /// There is nobody to follow.
    #[error("no operator is configured")]
    NoOperator,
    /// The connection is another chain's.
    #[error("the connection for chain {expected} is one to chain {found}")]
    OtherChain {
        /// The chain configured.
        expected: ChainId,
        /// The chain connected to.
        found: ChainId,
    },
    /// Evidence cannot be kept.
    #[error("evidence: {0}")]
    Store(#[from] StoreError),
    /// The network has shut down.
    #[error("the network has shut down")]
    NetworkClosed,
}

/// Open the file of evidence and start. The handle ends only when the network fails, or when it is aborted.
pub async fn start<E: Runtime>(
    context: &E,
    settings: WatcherSettings,
    parts: WatcherParts,
) -> Result<WatcherHandle, WatcherError> {
    if settings.operators.is_empty() {
        return Err(WatcherError::NoOperator);
    }
    if let Some(l1) = &parts.l1 {
        let expected = settings.l1_chain_id;
        for found in [l1.chain.chain_id(), l1.submit.chain_id()] {
            if found != expected {
                return Err(WatcherError::OtherChain { expected, found });
            }
        }
    }
    for (expected, chain) in &parts.rollups {
        let (expected, found) = (*expected, chain.chain_id());
        if found != expected {
            return Err(WatcherError::OtherChain { expected, found });
        }
    }
    let partition = format!("{}-evidence", settings.partition);
    let domain = settings.genesis.domain;
    let (store, held) = store::Store::open(context.child("evidence"), partition, domain).await?;
    let shared = view::Shared::new(context);
    let actor = actor::Actor::new(settings, parts, store, held, shared.clone(), crate::runtime::now(context));
    let handle = context.child("watcher").spawn(move |context| actor.run(context));
    Ok(WatcherHandle::new(shared, handle))
}

#[cfg(test)]
mod tests;
