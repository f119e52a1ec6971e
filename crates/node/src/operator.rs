//! The operator: judges rollups' blocks, orders checkpoints with the others, attests what was finalised.
//!
//! ```text
//!  publishers ─▶ intake ─▶ blocks ◀─▶ judge           every block, as it arrives
//!                 ▲          ▲ │
//!  peers ◀─▶ fetch ──────────┘ │ collect, ensure
//!                              ▼
//!  consensus ◀──────────── application                propose, vote
//!      └─finalised─▶ finaliser ─▶ aggregator ◀─▶ gossip
//!                        │            │
//!                        └──▶ OperatorHandle ─▶ feed, API
//! ```
//!
//! Each part is one task with a mailbox, except the application, which consensus calls. [`Prepared`] exists before the
//! network does, because consensus wants its application first.

mod aggregator;
mod allowance;
mod application;
mod blocks;
mod feed;
mod fetch;
mod finaliser;
mod handle;
mod intake;
mod judge;
mod judging;
mod membership;
mod metrics;
pub(crate) mod records;
mod restaking;
mod settlement;

pub use application::Pace;
pub use finaliser::SignerError;
pub use handle::{Event, Events, JudgingView, OperatorHandle};
pub use judge::{Judge, Reexecution, Task};
pub use records::RecordsError;

use crate::{
    config::Network,
    membership::Memberships,
    own_node::OwnNodes,
    registry::{self, Registry},
    runtime::{Runtime, now},
    settlement::Settlement,
    wire::Wires,
};
use application::{Application, Inner, Stalls, States};
use commonware_runtime::Handle;
use commonware_utils::{channel::mpsc, sync::Mutex};
use feed::Contradictions;
use finaliser::Signer;
use handle::Reporter;
use hum_bls::{Certificate, SecretKey};
use hum_consensus::{Archive, CommitteeError, Peers, PublicKey};
use hum_ledger::{SeatedRoster, State};
use hum_types::{Decode as _, Domain};
use membership::Membership;
use metrics::Metrics;
use records::Records;
use restaking::{Restaking, Roll};
use settlement::Settling;
use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

/// What an operator is made of.
pub struct Setup {
    /// The network.
    pub network: Arc<Network>,
    /// This operator's identity on the network.
    pub me: PublicKey,
    /// Its attestation key.
    pub key: SecretKey,
    /// Our own L1 node; `None` where the network has no restaking contracts.
    pub registry: Option<Arc<dyn Registry>>,
    /// What rollups have settled, as our own L1 node shows it; `None` where no member settles on L1.
    pub settlement: Option<Arc<dyn Settlement>>,
    /// Who comes and goes, as our own L1 node shows it; `None` where the network names no profiles of rollups.
    pub memberships: Option<Arc<dyn Memberships>>,
    /// Who judges blocks.
    pub judge: Arc<dyn Judge>,
    /// Our own nodes of rollups that nobody re-executes; `None` where we judge none.
    pub nodes: Option<Arc<dyn OwnNodes>>,
    /// Prefix of its files on the runtime's storage.
    pub partition: String,
    /// Its time limits.
    pub pace: Pace,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("me", &self.me)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

/// Why an operator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The network key is nobody's, and nobody else can ever join.
    #[error(
        "own network key {0} is not an operator's in the network file, which names no restaking contracts to join by"
    )]
    NotAnOperator(PublicKey),
    /// The attestation key is another operator's.
    #[error("own attestation key is not the one that the network file lists for network key {0}")]
    Key(PublicKey),
    /// The operators cannot order.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// The record of what was signed cannot be used.
    #[error("{0}; without it this operator must not sign")]
    Signer(#[from] SignerError),
    /// Certificates or contradictions cannot be read.
    #[error("certificates and contradictions: {0}")]
    Records(#[from] RecordsError),
}

/// The first committee as consensus wants it.
pub fn consensus_committee(network: &Network) -> Result<hum_consensus::Committee, CommitteeError> {
    seats_of(network.domain, &network.genesis.seated)
}

/// A committee as consensus wants it. L1 takes any 32 bytes for a network key: a seat whose key is none does not order.
fn seats_of(domain: Domain, seated: &SeatedRoster) -> Result<hum_consensus::Committee, CommitteeError> {
    let keys = seated.roster().entries.iter().filter_map(|entry| registry::network_key(entry.network_key));
    let keys: BTreeSet<PublicKey> = keys.collect();
    hum_consensus::Committee::new(domain.0.0, keys)
}

/// An operator that is ready to join the network.
pub struct Prepared<E: Runtime> {
    context: E,
    setup: Setup,
    roll: Roll,
    signer: Signer<E>,
    certificates: Records<E>,
    handovers: Records<E>,
    contradictions: Contradictions<E>,
    application: Arc<Inner<E>>,
    blocks: mpsc::Receiver<blocks::Message>,
    finalised: mpsc::Receiver<finaliser::Message>,
}

impl<E: Runtime> std::fmt::Debug for Prepared<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("setup", &self.setup).finish_non_exhaustive()
    }
}

impl<E: Runtime> Prepared<E> {
    /// Open the disk and get everything ready. Starting again on the same storage and partition resumes.
    pub async fn new(context: E, setup: Setup) -> Result<Self, StartError> {
        let network = setup.network.clone();
        match network.operators.iter().find(|operator| operator.key == setup.me) {
            Some(seat) if seat.entry.bls_key != setup.key.public_key() => {
                return Err(StartError::Key(setup.me));
            }
            None if setup.registry.is_none() => return Err(StartError::NotAnOperator(setup.me)),
            _ => {}
        }
        let genesis = State::genesis(&network.genesis);
        let handle = OperatorHandle::new(genesis.clone());
        let reporter = Reporter::new(handle, Arc::new(Metrics::new(&context)));

        let partition = |name: &str| format!("{}-{name}", setup.partition);
        let signed = partition("signed");
        let signer = Signer::open(context.child("signed"), signed, setup.key.clone()).await?;
        let (certificates, read) =
            Records::open(context.child("certificates"), partition("certificates")).await?;
        let (handovers, closing) = Records::open(context.child("handovers"), partition("handovers")).await?;
        let all = read.into_iter().map(|record| (record, false));
        for (record, handover) in all.chain(closing.into_iter().map(|record| (record, true))) {
            // A record that does not decode is one that was being written: it is had again from a peer.
            if let Ok(certificate) = Certificate::decode(&record) {
                reporter.remember(Arc::new(certificate), handover);
            }
        }

        let contradictions =
            Contradictions::open(context.child("contradictions"), partition("contradictions")).await?;

        let (blocks_mailbox, blocks) = blocks::channel();
        let (finaliser_mailbox, finalised) = finaliser::channel();
        let committee = consensus_committee(&network)?;
        let restaking = Restaking::new(context.child("restaking"), setup.registry.clone(), reporter.clone());
        let settling =
            Settling::new(context.child("settlement"), &network, setup.settlement.clone(), reporter.clone());
        let membership = Membership::new(
            context.child("membership"),
            &network,
            setup.memberships.clone(),
            reporter.clone(),
        );
        let states = States::new(committee.genesis(), genesis);
        let application = Arc::new(Inner {
            clock: context.child("application"),
            network,
            committee,
            restaking: Arc::new(restaking),
            settling: Arc::new(settling),
            membership: Arc::new(membership),
            pace: setup.pace,
            states: Arc::new(states),
            blocks: blocks_mailbox,
            finaliser: finaliser_mailbox,
            stalls: Arc::new(Stalls::default()),
            reporter,
            gossip: OnceLock::new(),
            last: Mutex::new(None),
        });
        let roll = Roll::new(&setup.network);
        Ok(Self {
            context,
            setup,
            roll,
            signer,
            certificates,
            handovers,
            contradictions,
            application,
            blocks,
            finalised,
        })
    }

    /// What consensus drives.
    #[must_use]
    pub fn application(&self) -> Arc<dyn hum_consensus::Application> {
        Arc::new(Application(self.application.clone()))
    }

    /// What others in the process may look at.
    #[must_use]
    pub fn handle(&self) -> OperatorHandle {
        self.application.reporter.handle().clone()
    }

    /// Start every part, now that consensus runs. `archive`, `peers` and `wires` are what it gave back.
    pub fn run(self, archive: Archive, peers: Peers, wires: Wires) -> Operator {
        if let Err(error) = self.roll.connect(peers) {
            let at = now(&self.context);
            self.application.reporter.alarm(format!("not connected with every operator: {error}"), at);
        }
        let handle = self.handle();
        let task = self.context.child("operator").spawn(move |context| async move {
            // Whichever part ends, the operator ends: it must not look alive with a part missing.
            let parts = self.start(&context, archive, wires);
            let (_, stopped, _) = futures::future::select_all(parts).await;
            tracing::error!(part = stopped, "a part of the operator has stopped");
        });
        Operator { handle, task }
    }

    fn start(self, context: &E, archive: Archive, wires: Wires) -> Vec<Handle<()>> {
        let Self {
            context: _,
            setup,
            roll,
            signer,
            certificates,
            handovers,
            contradictions,
            application,
            blocks,
            finalised,
        } = self;
        let Setup { network, me, key, judge, nodes, partition, .. } = setup;
        let Wires { submit, gossip, fetch, feed } = wires;
        let (reporter, watched) = (application.reporter.clone(), network.clone());
        let (judged, own, mouth) = (network.clone(), me.clone(), gossip.sender.clone());
        let _ = application.gossip.set(gossip.sender.clone());
        let (fetch_mailbox, fetch_wants) = fetch::channel();
        let (intake_mailbox, intake_wants) = intake::channel();
        let (aggregator_mailbox, headers) = aggregator::channel();
        vec![
            blocks::Actor {
                context: context.child("blocks"),
                book: blocks::Book::new(&network),
                judge,
                mailbox: blocks,
                fetch: fetch_mailbox.clone(),
                intake: intake_mailbox,
                reporter: reporter.clone(),
            }
            .start(),
            intake::Actor {
                context: context.child("intake"),
                network: network.clone(),
                mailbox: intake_wants,
                blocks: application.blocks.clone(),
                reporter: reporter.clone(),
            }
            .start(submit),
            fetch::Actor {
                context: context.child("fetch"),
                network: network.clone(),
                me: me.clone(),
                mailbox: fetch_wants,
                roll: roll.clone(),
                blocks: application.blocks.clone(),
                aggregator: aggregator_mailbox.clone(),
                reporter: reporter.clone(),
            }
            .start(fetch, archive.clone()),
            aggregator::Actor {
                context: context.child("aggregator"),
                network,
                me,
                mailbox: headers,
                roll: roll.clone(),
                records: certificates,
                handovers,
                stalls: application.stalls.clone(),
                blocks: application.blocks.clone(),
                reporter: reporter.clone(),
            }
            .start(gossip),
            finaliser::Actor {
                context: context.child("finaliser"),
                mailbox: finalised,
                signer,
                states: application.states.clone(),
                blocks: application.blocks.clone(),
                aggregator: aggregator_mailbox,
                restaking: application.restaking.clone(),
                settling: application.settling.clone(),
                membership: application.membership.clone(),
                roll: roll.clone(),
                fetch: fetch_mailbox,
                network: watched.clone(),
                reporter: reporter.clone(),
            }
            .start(archive),
            judging::Actor {
                context: context.child("judging"),
                network: judged,
                nodes,
                me: own,
                key,
                partition,
                roll: roll.clone(),
                blocks: application.blocks.clone(),
                gossip: mouth,
                reporter: reporter.clone(),
            }
            .start(),
            restaking::Actor {
                context: context.child("restaking"),
                restaking: application.restaking.clone(),
                roll,
                reporter: reporter.clone(),
            }
            .start(),
            membership::Actor {
                context: context.child("membership"),
                membership: application.membership.clone(),
                reporter: reporter.clone(),
            }
            .start(),
            settlement::Actor {
                context: context.child("settlement"),
                settling: application.settling.clone(),
                reporter: reporter.clone(),
            }
            .start(),
            feed::Actor { context: context.child("feed"), network: watched, contradictions, reporter }
                .start(feed),
        ]
    }
}

/// A running operator.
pub struct Operator {
    /// What others in the process may look at.
    pub handle: OperatorHandle,
    /// Resolves when a part has stopped, which in a healthy operator is never.
    pub task: Handle<()>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl Operator {
    /// End every task at its next `await`, as a crash would.
    pub fn abort(&self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
