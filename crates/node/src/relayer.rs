//! The relayer: bring every certified message to its destination, once, within a budget, and lead light clients from
//! committee to committee.
//!
//! It holds no trust and keeps nothing on disk: checkpoints are believed only under a certificate that it checked, and
//! what destinations hold is read from them again after every start. Anyone may run one; two do no harm.
//!
//! ```text
//! operators ─checkpoints, certificates▶ follower ─▶ CertifiedChain ─▶ Planner ─▶ calldata ─▶ Submit (destination)
//!                                                                        ▲                      │
//!                              Chain (destination): records, statuses ───┴──── outcome ◀────────┘
//! ```
//!
//! Invariants: nothing is sent that the newest certified checkpoint does not carry; a destination or an operator that
//! stalls holds up nobody else; every query and transaction ends, and its end is told to the planner.

mod actor;
mod destination;
pub(crate) mod follower;
mod view;

pub use view::{DestinationView, RelayerHandle, RelayerView};

use crate::{
    config::{Member, Network},
    lookout::Lookout,
    members::Members,
};
use commonware_runtime::{Clock, Metrics, Spawner};
use hum_chain::{Chain, Submit};
use hum_consensus::{PublicKey, Wire};
use hum_ledger::Genesis;
use hum_relay::Policy;
use hum_types::{Address, ChainId};
use std::{collections::BTreeMap, sync::Arc};

/// How a relayer behaves.
#[derive(Debug, Clone)]
pub struct RelayerSettings {
    /// Where the chain of checkpoints starts.
    pub genesis: Genesis,
    /// The operators to follow, until the lookout knows others.
    pub operators: Vec<PublicKey>,
    /// The light client on each chain, as far as it is known at the start.
    pub light_clients: BTreeMap<ChainId, Address>,
    /// Who is a member; whoever joins is taken in.
    pub members: Members,
    /// Limits.
    pub policy: Policy,
    /// Operators that are followed at once.
    pub follow: usize,
    /// How long an operator gets to answer.
    pub answer_timeout_ms: u64,
    /// How long without news until the operators are asked for some.
    pub quiet_ms: u64,
}

impl RelayerSettings {
    /// The usual behaviour in a network.
    #[must_use]
    pub fn new(network: &Network, policy: Policy) -> Self {
        Self {
            genesis: network.genesis.clone(),
            operators: network.operators.iter().map(|operator| operator.key.clone()).collect(),
            light_clients: network
                .members()
                .iter()
                .map(|member| (member.entry.chain_id, member.entry.light_client))
                .collect(),
            members: network.members.clone(),
            policy,
            follow: 4,
            answer_timeout_ms: 1_000,
            quiet_ms: 1_000,
        }
    }
}

/// A chain to deliver to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// To read it.
    pub chain: Arc<dyn Chain>,
    /// To write it. Its own limit on transactions in flight should not be below the policy's.
    pub submit: Arc<dyn Submit>,
}

/// Connects a relayer with a member that joins; `None` where it is not to deliver.
pub type Connect = Box<dyn Fn(&Member) -> Option<Destination> + Send + Sync>;

/// What a relayer works with.
pub struct RelayerParts {
    /// Where to deliver.
    pub destinations: BTreeMap<ChainId, Destination>,
    /// How to deliver to members that join later; without it they are sources only.
    pub connect: Option<Connect>,
    /// Questions to operators.
    pub fetch: Wire,
    /// News from operators.
    pub feed: Wire,
    /// Who the operators are when they come and go; without it the first ones are followed.
    pub lookout: Option<Lookout>,
}

impl std::fmt::Debug for RelayerParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayerParts").field("destinations", &self.destinations).finish_non_exhaustive()
    }
}

/// Why a relayer did not start, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayerError {
    /// There is nowhere to deliver to.
    #[error("no destination is configured: give at least one rollup's JSON-RPC URL")]
    NoDestination,
    /// There is nobody to follow.
    #[error("no operator is configured")]
    NoOperator,
    /// The destination has no light client in the network file.
    #[error("chain {0} is no member of this network")]
    NotAMember(ChainId),
    /// The connection is another chain's.
    #[error("the connection for chain {expected} is one to chain {found}")]
    OtherChain {
        /// The chain configured.
        expected: ChainId,
        /// The chain connected to.
        found: ChainId,
    },
    /// The network has shut down.
    #[error("the network has shut down")]
    NetworkClosed,
}

/// Start. The handle ends only when the network fails, or when it is aborted.
pub fn start<E>(
    context: &E,
    settings: RelayerSettings,
    parts: RelayerParts,
) -> Result<RelayerHandle, RelayerError>
where
    E: Spawner + Clock + Metrics,
{
    if parts.destinations.is_empty() {
        return Err(RelayerError::NoDestination);
    }
    if settings.operators.is_empty() {
        return Err(RelayerError::NoOperator);
    }
    for (expected, destination) in &parts.destinations {
        if !settings.light_clients.contains_key(expected) {
            return Err(RelayerError::NotAMember(*expected));
        }
        for found in [destination.chain.chain_id(), destination.submit.chain_id()] {
            if found != *expected {
                return Err(RelayerError::OtherChain { expected: *expected, found });
            }
        }
    }
    let shared = view::Shared::new(context, parts.destinations.keys().copied());
    let actor = actor::Actor::new(settings, parts, shared.clone());
    let handle = context.child("relayer").spawn(move |context| actor.run(context));
    Ok(RelayerHandle::new(shared, handle))
}

#[cfg(test)]
mod tests;
