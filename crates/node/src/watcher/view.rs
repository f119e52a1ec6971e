//! What a watcher has seen and done, for people and metrics.

use super::{
    docket::{CaseView, Stage},
    evidence::Fault,
    spend::Bonds,
};
use crate::status::{RoleStatus, StatusBoard};
use commonware_runtime::{
    Handle, Metrics,
    telemetry::metrics::{Counter, Gauge, MetricsExt as _},
};
use commonware_utils::sync::Mutex;
use hum_types::{Address, Epoch, Height, TimeMs};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Wei in the unit of the metrics, whose values have 63 bits.
const GWEI: u128 = 1_000_000_000;

/// A watcher at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherView {
    /// What it last did, what it waits for, its alarms.
    #[serde(flatten)]
    pub role: RoleStatus,
    /// The newest height that is certified and replayed; 0 before the first.
    pub certified: Height,
    /// The epoch of the height that follows.
    pub epoch: Epoch,
    /// Attestations heard since the start.
    pub attestations: u64,
    /// Attestations of what was not finalised, or is false, by operator; what is wrong in two ways counts twice.
    pub wrong_attestations: BTreeMap<Address, u64>,
    /// Attestations of what is false, by what is.
    pub false_attestations: BTreeMap<Fault, u64>,
    /// Signed things passed on by peers that nobody had signed.
    pub forged: u64,
    /// Every accusation and how far it is, oldest first.
    pub evidence: Vec<CaseView>,
    /// Snapshots taken since the start.
    pub snapshots: u64,
    /// Fees paid since the start, in wei, as digits.
    pub spent_wei: String,
    /// Bonds of challenges that are open, in wei, as digits.
    pub bonds_out_wei: String,
    /// Bonds of challenges that were answered, as far back as the evidence on disk goes, in wei, as digits.
    pub bonds_lost_wei: String,
    /// Heads that were not held against their chains, because a node was away or too slow.
    pub heads_passed_over: u64,
    /// Balance of the paying account, in wei, as digits; absent before it was read.
    pub balance_wei: Option<String>,
    /// The newest failure to read or write L1.
    pub last_error: Option<String>,
}

#[derive(Debug)]
struct Registered {
    certified: Gauge,
    attestations: Counter,
    wrong: Counter,
    wrong_by_fault: [(Fault, Counter); 4],
    forged: Counter,
    evidence: Gauge,
    punished: Gauge,
    refused: Gauge,
    snapshots: Counter,
    spend_gwei: Gauge,
    bonds_out_gwei: Gauge,
    bonds_lost_gwei: Gauge,
    passed_over: Gauge,
    alarms: Counter,
}

struct State {
    certified: Height,
    epoch: Epoch,
    attestations: u64,
    wrong: BTreeMap<Address, u64>,
    wrong_by_fault: BTreeMap<Fault, u64>,
    forged: u64,
    evidence: Vec<CaseView>,
    snapshots: u64,
    spent_wei: u128,
    bonds_out_wei: u128,
    bonds_lost_wei: u128,
    passed_over: u64,
    balance_wei: Option<String>,
    last_error: Option<String>,
}

/// The view, shared between the actor and whoever looks.
#[derive(Clone)]
pub(super) struct Shared {
    board: StatusBoard,
    state: Arc<Mutex<State>>,
    metrics: Arc<Registered>,
}

fn clamp(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl Shared {
    pub(super) fn new(context: &impl Metrics) -> Self {
        let metrics = Registered {
            certified: context.gauge("watcher_certified_height", "newest certified height replayed"),
            attestations: context.counter("watcher_attestations", "attestations heard"),
            wrong: context
                .counter("watcher_wrong_attestations", "attestations of what was not finalised or is false"),
            wrong_by_fault: [
                (Fault::Settlement, "watcher_false_tables_attested"),
                (Fault::NoClaim, "watcher_unclaimed_heads_attested"),
                (Fault::Lane, "watcher_false_lanes_attested"),
                (Fault::StateRoot, "watcher_false_state_roots_attested"),
            ]
            .map(|(fault, name)| (fault, context.counter(name, "attestations of that, quorum or not"))),
            forged: context.counter("watcher_forged", "signed things passed on that nobody had signed"),
            evidence: context.gauge("watcher_evidence", "accusations"),
            punished: context.gauge("watcher_punished", "accusations that L1 has punished"),
            refused: context.gauge("watcher_refused", "accusations that L1 refused last time"),
            snapshots: context.counter("watcher_snapshots", "snapshots taken"),
            spend_gwei: context.gauge("watcher_spend_gwei", "fees paid since the start, gwei"),
            bonds_out_gwei: context.gauge("watcher_bonds_out_gwei", "bonds of open challenges, gwei"),
            bonds_lost_gwei: context.gauge("watcher_bonds_lost_gwei", "bonds of answered challenges, gwei"),
            passed_over: context.gauge("watcher_heads_passed_over", "heads not held against their chains"),
            alarms: context.counter("watcher_alarms", "alarms raised"),
        };
        let state = State {
            certified: Height(0),
            epoch: Epoch(0),
            attestations: 0,
            wrong: BTreeMap::new(),
            wrong_by_fault: BTreeMap::new(),
            forged: 0,
            evidence: Vec::new(),
            snapshots: 0,
            spent_wei: 0,
            bonds_out_wei: 0,
            bonds_lost_wei: 0,
            passed_over: 0,
            balance_wei: None,
            last_error: None,
        };
        let board = StatusBoard::new("watcher");
        board.waits_for("operators to send a certificate", TimeMs(0));
        Self { board, state: Arc::new(Mutex::new(state)), metrics: Arc::new(metrics) }
    }

    pub(super) fn view(&self) -> WatcherView {
        let state = self.state.lock();
        WatcherView {
            role: self.board.snapshot(),
            certified: state.certified,
            epoch: state.epoch,
            attestations: state.attestations,
            wrong_attestations: state.wrong.clone(),
            false_attestations: state.wrong_by_fault.clone(),
            forged: state.forged,
            evidence: state.evidence.clone(),
            snapshots: state.snapshots,
            spent_wei: state.spent_wei.to_string(),
            bonds_out_wei: state.bonds_out_wei.to_string(),
            bonds_lost_wei: state.bonds_lost_wei.to_string(),
            heads_passed_over: state.passed_over,
            balance_wei: state.balance_wei.clone(),
            last_error: state.last_error.clone(),
        }
    }

    pub(super) fn did(&self, now: TimeMs, what: String) {
        self.board.did(what, now);
    }

    pub(super) fn alarm(&self, now: TimeMs, what: &str) {
        self.metrics.alarms.inc();
        if self.board.alarm(what, now) {
            tracing::warn!(alarm = what, "watcher alarm");
        }
    }

    pub(super) fn waits_for(&self, now: TimeMs, what: &str) {
        self.board.waits_for(what, now);
    }

    pub(super) fn certified(&self, height: Height, epoch: Epoch) {
        self.metrics.certified.set(clamp(height.0));
        let mut state = self.state.lock();
        if state.certified == Height(0) {
            tracing::info!(%height, "first certificate");
        }
        (state.certified, state.epoch) = (height, epoch);
    }

    pub(super) fn attested(&self, count: usize) {
        self.metrics.attestations.inc_by(count as u64);
        self.state.lock().attestations += count as u64;
    }

    /// An operator signed what was not finalised, or what is false for this reason.
    pub(super) fn wrong(&self, operator: Address, why: Option<Fault>) {
        self.metrics.wrong.inc();
        let own = |entry: &&(Fault, Counter)| Some(entry.0) == why;
        if let Some((_, counter)) = self.metrics.wrong_by_fault.iter().find(own) {
            counter.inc();
        }
        let mut state = self.state.lock();
        *state.wrong.entry(operator).or_default() += 1;
        if let Some(fault) = why {
            *state.wrong_by_fault.entry(fault).or_default() += 1;
        }
    }

    pub(super) fn bonds(&self, bonds: &Bonds) {
        let (out_wei, lost_wei) = (bonds.out_wei(), bonds.total_lost_wei());
        self.metrics.bonds_out_gwei.set(clamp(out_wei / GWEI));
        self.metrics.bonds_lost_gwei.set(clamp(lost_wei / GWEI));
        let mut state = self.state.lock();
        (state.bonds_out_wei, state.bonds_lost_wei) = (out_wei, lost_wei);
    }

    pub(super) fn passed_over(&self, heads: u64) {
        self.metrics.passed_over.set(clamp(heads));
        self.state.lock().passed_over = heads;
    }

    pub(super) fn forged(&self) {
        self.metrics.forged.inc();
        self.state.lock().forged += 1;
    }

    pub(super) fn cases(&self, evidence: Vec<CaseView>) {
        let count = |is: fn(&Stage) -> bool| evidence.iter().filter(|case| is(&case.stage)).count();
        self.metrics.evidence.set(clamp(evidence.len()));
        self.metrics.punished.set(clamp(count(|stage| matches!(stage, Stage::Punished { .. }))));
        self.metrics.refused.set(clamp(count(|stage| matches!(stage, Stage::Refused { .. }))));
        self.state.lock().evidence = evidence;
    }

    pub(super) fn snapshot(&self) {
        self.metrics.snapshots.inc();
        self.state.lock().snapshots += 1;
    }

    pub(super) fn spent(&self, spent_wei: u128) {
        self.metrics.spend_gwei.set(clamp(spent_wei / GWEI));
        self.state.lock().spent_wei = spent_wei;
    }

    pub(super) fn balance(&self, balance: &alloy_primitives::U256) {
        self.state.lock().balance_wei = Some(balance.to_string());
    }

    pub(super) fn trouble(&self, error: Option<String>) {
        self.state.lock().last_error = error;
    }
}

/// A running watcher.
pub struct WatcherHandle {
    shared: Shared,
    handle: Handle<super::WatcherError>,
}

impl std::fmt::Debug for WatcherHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatcherHandle").field("view", &self.view()).finish_non_exhaustive()
    }
}

impl WatcherHandle {
    pub(super) const fn new(shared: Shared, handle: Handle<super::WatcherError>) -> Self {
        Self { shared, handle }
    }

    /// What it has seen and done.
    #[must_use]
    pub fn view(&self) -> WatcherView {
        self.shared.view()
    }

    /// A look that outlives the handle: for the API.
    pub fn watch(&self) -> impl Fn() -> WatcherView + Clone + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.view()
    }

    /// Stop at once, as a crash would.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Wait for its end; `None` when it was aborted.
    pub async fn ended(self) -> Option<super::WatcherError> {
        self.handle.await.ok()
    }
}
