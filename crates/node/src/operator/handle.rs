//! What others in the process can see of an operator: a view of its newest state, and a stream of what happens.

use super::metrics::Metrics;
use crate::{
    own_node::NodeClient,
    status::{RoleStatus, StatusBoard},
    wire::{NodeStatus, RollupHead},
};
use commonware_utils::{
    channel::{mpsc, oneshot},
    sync::Mutex,
};
use hum_bls::{Attestation, Certificate};
use hum_ledger::{Archive, PendingMessage, SeatedRoster, State};
use hum_types::{
    BlockRef, ChainId, Checkpoint, Class, Encode as _, Generation, Header, Height, InvalidReason, RollupLeaf,
    SignedClaim, TimeMs,
};
use hum_verify::Missing;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Events that a subscriber may fall behind by.
const EVENTS_MAX: usize = 4096;
/// Newest checkpoints kept in memory, by number and by bytes.
const CHECKPOINTS_MAX: usize = 1024;
const CHECKPOINT_BYTES_MAX: usize = 32 << 20;
/// Newest certificates kept in memory.
pub(crate) const CERTIFICATES_MAX: usize = 4096;

/// What happened. Times are by the operator's clock.
#[derive(Debug, Clone)]
pub enum Event {
    /// The first claim for a block was taken.
    Claimed {
        /// The rollup.
        chain_id: ChainId,
        /// The claim's generation.
        generation: Generation,
        /// The block.
        block: BlockRef,
        /// When.
        at: TimeMs,
    },
    /// A block has its verdict.
    Judged {
        /// The rollup.
        chain_id: ChainId,
        /// The block.
        block: BlockRef,
        /// The rule that it breaks, if any.
        invalid: Option<InvalidReason>,
        /// When.
        at: TimeMs,
    },
    /// A checkpoint was finalised and applied.
    Finalised {
        /// The checkpoint.
        checkpoint: Arc<Checkpoint>,
        /// Messages that it carries for the first time.
        messages: Arc<[PendingMessage]>,
        /// When.
        at: TimeMs,
    },
    /// A header has a certificate, or a fuller one than before.
    Certified {
        /// The certificate.
        certificate: Arc<Certificate>,
        /// When.
        at: TimeMs,
    },
    /// An operator's attestation was made or came, whatever it says; its signature is not checked yet.
    Attested {
        /// The attestation.
        attestation: Attestation,
        /// When.
        at: TimeMs,
    },
    /// An operator attested another header than the one that was finalised; its signature holds.
    Contradicted {
        /// The attestation.
        attestation: Attestation,
        /// When.
        at: TimeMs,
    },
    /// A publisher sent a claim that its sequencer did sign, be it the first for its number or not.
    Signed {
        /// The claim.
        claim: SignedClaim,
        /// When.
        at: TimeMs,
    },
    /// People should look at this.
    Alarm {
        /// In words.
        what: String,
        /// When.
        at: TimeMs,
    },
}

/// How this operator judges a rollup by a node of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JudgingView {
    /// What the node calls itself; absent while it has not answered.
    pub node: Option<NodeClient>,
    /// Whether this operator is a judge of the rollup that has a seat.
    pub judges: bool,
    /// The highest block that it judged.
    pub judged: Option<u64>,
}

/// What happens, as it happens.
pub type Events = mpsc::Receiver<Event>;

/// The newest state, ready to be read.
#[derive(Debug)]
struct View {
    header: Header,
    leaves: Vec<RollupLeaf>,
    certified: Height,
    checkpoints: VecDeque<(Arc<Checkpoint>, usize)>,
    checkpoint_bytes: usize,
    certificates: BTreeMap<Height, Arc<Certificate>>,
    /// Of headers that close an epoch: whoever was away needs them, however old they are.
    handovers: BTreeMap<Height, Arc<Certificate>>,
}

struct Shared {
    view: Mutex<View>,
    archive: Mutex<Archive>,
    subscribers: Mutex<Vec<mpsc::Sender<Event>>>,
    /// Told once, when something is finalised or certified.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
    status: StatusBoard,
    /// Rollups that this operator has nodes of.
    judging: Mutex<BTreeMap<ChainId, JudgingView>>,
}

/// An operator, seen from the same process. Clones see the same operator.
#[derive(Clone)]
pub struct OperatorHandle(Arc<Shared>);

impl std::fmt::Debug for OperatorHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorHandle").field("finalised", &self.header().height).finish_non_exhaustive()
    }
}

impl OperatorHandle {
    pub(crate) fn new(genesis: State) -> Self {
        let view = View {
            header: *genesis.header(),
            leaves: genesis.leaves(),
            certified: Height(0),
            checkpoints: VecDeque::new(),
            checkpoint_bytes: 0,
            certificates: BTreeMap::new(),
            handovers: BTreeMap::new(),
        };
        Self(Arc::new(Shared {
            view: Mutex::new(view),
            archive: Mutex::new(Archive::new(genesis)),
            subscribers: Mutex::new(Vec::new()),
            waiting: Mutex::new(Vec::new()),
            status: StatusBoard::new("operator"),
            judging: Mutex::new(BTreeMap::new()),
        }))
    }

    /// What happens from now on. The stream ends for a subscriber that falls too far behind: it then reads the view
    /// and subscribes again.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        self.0.subscribers.lock().push(sender);
        receiver
    }

    /// The newest finalised header.
    #[must_use]
    pub fn header(&self) -> Header {
        self.0.view.lock().header
    }

    /// The members as the newest finalised header commits to them.
    #[must_use]
    pub fn rollups(&self) -> Vec<RollupLeaf> {
        self.0.view.lock().leaves.clone()
    }

    /// The newest certified height; 0 while there is none.
    #[must_use]
    pub fn certified(&self) -> Height {
        self.0.view.lock().certified
    }

    /// A recent checkpoint.
    #[must_use]
    pub fn checkpoint(&self, height: Height) -> Option<Arc<Checkpoint>> {
        self.checkpoints(height, 1).into_iter().next()
    }

    /// Recent checkpoints, ascending from `from` on. Empty when the first of them is not kept in memory.
    #[must_use]
    pub fn checkpoints(&self, from: Height, count: usize) -> Vec<Arc<Checkpoint>> {
        let view = self.0.view.lock();
        let Some(first) = view.checkpoints.front().map(|(checkpoint, _)| checkpoint.header.height) else {
            return Vec::new();
        };
        let Some(skip) = from.0.checked_sub(first.0).and_then(|skip| usize::try_from(skip).ok()) else {
            return Vec::new();
        };
        view.checkpoints.iter().skip(skip).take(count).map(|(checkpoint, _)| checkpoint.clone()).collect()
    }

    /// The certificate of the lowest height at or above this one that one is kept for: of recent heights, and of all
    /// that close an epoch.
    #[must_use]
    pub fn certificate(&self, at_or_above: Height) -> Option<Arc<Certificate>> {
        let view = self.0.view.lock();
        let lowest = [&view.certificates, &view.handovers]
            .into_iter()
            .filter_map(|kept| kept.range(at_or_above..).next())
            .min_by_key(|(height, _)| **height);
        lowest.map(|(_, certificate)| certificate.clone())
    }

    /// Whether there is a certificate of exactly this height.
    #[must_use]
    pub fn is_certified(&self, height: Height) -> bool {
        self.certificate(height).is_some_and(|certificate| certificate.height == height)
    }

    /// Who signs the height after the newest finalised one.
    #[must_use]
    pub fn seated(&self) -> Arc<SeatedRoster> {
        self.archive(|archive| archive.newest().seated().clone())
    }

    /// Resolves when something is finalised or certified after this call.
    pub(crate) fn changed(&self) -> oneshot::Receiver<()> {
        let (tell, changed) = oneshot::channel();
        let mut waiting = self.0.waiting.lock();
        waiting.retain(|waiting: &oneshot::Sender<()>| !waiting.is_closed());
        waiting.push(tell);
        changed
    }

    /// Look something up in the replayed chain: states, lanes, messages, proofs. Keep it short: the operator waits.
    pub fn archive<T>(&self, look: impl FnOnce(&Archive) -> T) -> T {
        look(&self.0.archive.lock())
    }

    /// What the operator last did and what it waits for.
    #[must_use]
    pub fn status(&self) -> RoleStatus {
        self.0.status.snapshot()
    }

    /// What a peer is told.
    #[must_use]
    pub fn node_status(&self) -> NodeStatus {
        let view = self.0.view.lock();
        NodeStatus {
            finalised: view.header.height,
            time_ms: view.header.time_ms,
            certified: view.certified,
            rollups: view
                .leaves
                .iter()
                .map(|leaf| RollupHead {
                    chain_id: leaf.chain_id,
                    generation: leaf.generation,
                    status: leaf.status,
                    block: leaf.heads[0].block,
                })
                .collect(),
        }
    }

    /// How operators know each member's heads.
    #[must_use]
    pub fn classes(&self) -> Vec<(ChainId, Class)> {
        self.0.view.lock().leaves.iter().map(|leaf| (leaf.chain_id, leaf.class)).collect()
    }

    /// How this operator judges the rollups that it has nodes of.
    #[must_use]
    pub fn judging(&self) -> BTreeMap<ChainId, JudgingView> {
        self.0.judging.lock().clone()
    }

    pub(crate) fn set_judging(&self, chain_id: ChainId, view: JudgingView) {
        self.0.judging.lock().insert(chain_id, view);
    }

    pub(crate) fn board(&self) -> &StatusBoard {
        &self.0.status
    }

    pub(crate) fn archive_mut<T>(&self, act: impl FnOnce(&mut Archive) -> T) -> T {
        act(&mut self.0.archive.lock())
    }
}

/// The writing side of an [`OperatorHandle`], with the metrics.
#[derive(Clone)]
pub(crate) struct Reporter {
    handle: OperatorHandle,
    metrics: Arc<Metrics>,
}

impl Reporter {
    pub(crate) const fn new(handle: OperatorHandle, metrics: Arc<Metrics>) -> Self {
        Self { handle, metrics }
    }

    pub(crate) const fn handle(&self) -> &OperatorHandle {
        &self.handle
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Tell all subscribers, and keep the view and the counters up to date.
    pub(crate) fn publish(&self, event: Event) {
        match &event {
            Event::Claimed { .. } => {
                self.metrics.claims.inc();
            }
            Event::Judged { invalid, .. } => {
                if invalid.is_some() {
                    self.metrics.invalid.inc()
                } else {
                    self.metrics.valid.inc()
                };
            }
            Event::Finalised { checkpoint, at, .. } => self.finalised(checkpoint, *at),
            Event::Certified { certificate, at } => self.certified(certificate, *at),
            Event::Alarm { .. } => {
                self.metrics.alarms.inc();
            }
            Event::Contradicted { .. } => {
                self.metrics.contradictions.inc();
            }
            Event::Attested { .. } | Event::Signed { .. } => {}
        }
        if matches!(event, Event::Finalised { .. } | Event::Certified { .. }) {
            for waiting in self.handle.0.waiting.lock().drain(..) {
                let _ = waiting.send(());
            }
        }
        self.handle.0.subscribers.lock().retain(|subscriber| subscriber.try_send(event.clone()).is_ok());
    }

    /// People should look at this.
    pub(crate) fn alarm(&self, what: String, at: TimeMs) {
        if self.handle.board().alarm(what.clone(), at) {
            tracing::warn!(alarm = %what, "operator alarm");
        }
        self.publish(Event::Alarm { what, at });
    }

    fn finalised(&self, checkpoint: &Arc<Checkpoint>, at: TimeMs) {
        let leaves = self.handle.archive(|archive| archive.newest().leaves());
        let mut view = self.handle.0.view.lock();
        let bytes = checkpoint.encode().len();
        view.header = checkpoint.header;
        view.leaves = leaves;
        view.checkpoint_bytes += bytes;
        view.checkpoints.push_back((checkpoint.clone(), bytes));
        while view.checkpoints.len() > CHECKPOINTS_MAX || view.checkpoint_bytes > CHECKPOINT_BYTES_MAX {
            let Some((_, bytes)) = view.checkpoints.pop_front() else { break };
            view.checkpoint_bytes -= bytes;
        }
        drop(view);
        let height = checkpoint.header.height;
        Metrics::set(&self.metrics.finalised, height.0);
        self.handle.board().did(format!("finalised checkpoint {height}"), at);
        self.handle.board().waits_for("attestations of two thirds of the stake", at);
    }

    fn certified(&self, certificate: &Arc<Certificate>, at: TimeMs) {
        let handover = self.handle.archive(|archive| closes_epoch(archive, certificate.height));
        self.remember(certificate.clone(), handover);
        let certified = self.handle.certified();
        Metrics::set(&self.metrics.certified, certified.0);
        self.handle.board().did(format!("certified checkpoint {}", certificate.height), at);
        if certified >= self.handle.header().height {
            self.handle.board().waits_for("the next checkpoint", at);
        }
    }

    /// Keep a certificate, a new one or one from disk; for ever, when its header closes an epoch.
    pub(crate) fn remember(&self, certificate: Arc<Certificate>, handover: bool) {
        let mut view = self.handle.0.view.lock();
        view.certified = view.certified.max(certificate.height);
        if handover {
            view.handovers.insert(certificate.height, certificate.clone());
        }
        view.certificates.insert(certificate.height, certificate);
        while view.certificates.len() > CERTIFICATES_MAX {
            view.certificates.pop_first();
        }
    }

    pub(crate) fn backlog(&self, (bytes, blocks): (usize, usize)) {
        Metrics::set(&self.metrics.held_bytes, bytes as u64);
        Metrics::set(&self.metrics.held_blocks, blocks as u64);
    }

    pub(crate) fn undecided(&self, chain_id: ChainId, block: BlockRef, missing: &Missing) {
        self.metrics.undecided.inc();
        tracing::debug!(%chain_id, number = block.number, %missing, "undecided");
    }

    pub(crate) fn judged_in(&self, took: TimeMs) {
        self.metrics.judging.observe(took.0 as f64 / 1000.0);
    }
}

/// Whether the finalised header of this height closes an epoch.
pub(crate) fn closes_epoch(archive: &Archive, height: Height) -> bool {
    height.next().and_then(|next| archive.epoch_at(next)).is_some_and(|epoch| epoch.first.0 == height.0 + 1)
        && height.0 > 0
}
