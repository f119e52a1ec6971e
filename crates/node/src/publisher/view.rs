//! What a publisher last did and what it waits for, for people, metrics and demos.

use super::{
    Journal, PublisherError,
    batcher::{self, BatcherView},
};
use crate::status::RoleStatus;
use commonware_runtime::{
    Handle, Metrics, Storage,
    telemetry::metrics::{Counter, Gauge, MetricsExt as _},
};
use hum_types::{BlockRef, ChainId, Generation, TimeMs};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Blocks whose times are remembered.
const TIMES_MAX: usize = 4_096;

/// Where a publisher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It waits for operators to say how far they are, before it signs anything.
    Joining,
    /// It signs new blocks as they come.
    Publishing,
    /// What it can read cannot be signed; it tries again by itself.
    Stopped,
}

/// A publisher at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherView {
    /// What it last did, what it waits for, its alarms: each time that a node or an operator said what cannot be true,
    /// or the sequencer refused a block.
    #[serde(flatten)]
    pub role: RoleStatus,
    /// The rollup.
    pub chain_id: ChainId,
    /// Where it stands.
    pub stage: Stage,
    /// The generation that it claims in.
    pub generation: Generation,
    /// The highest block claimed.
    pub claimed: BlockRef,
    /// The highest block that operators have finalised.
    pub settled: u64,
    /// The node's head.
    pub head: Option<BlockRef>,
    /// Whether operators have set the rollup aside.
    pub quarantined: bool,
    /// Which of its nodes it reads from, from 0.
    pub source: usize,
    /// Its batcher, when it posts to L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batcher: Option<BatcherView>,
}

/// When things happened to a block, by the runtime's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockTimes {
    /// A head at or above it was first seen.
    pub seen_ms: Option<TimeMs>,
    /// Its claim was first sent.
    pub sent_ms: Option<TimeMs>,
    /// The first operator said that it took the claim.
    pub accepted_ms: Option<TimeMs>,
}

#[derive(Debug)]
struct Inner {
    view: PublisherView,
    times: BTreeMap<u64, BlockTimes>,
}

#[derive(Debug)]
struct Registered {
    claims: Counter,
    resends: Counter,
    retractions: Counter,
    alarms: Counter,
    failures: Counter,
    head: Gauge,
    claimed: Gauge,
    settled: Gauge,
}

/// The view, shared between the actor and whoever looks.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    inner: Arc<Mutex<Inner>>,
    posting: Option<batcher::Shared>,
    metrics: Arc<Registered>,
    /// The actor's clock, for notes.
    now_ms: Arc<AtomicU64>,
}

impl Shared {
    pub(super) fn new<E: Metrics, S: Storage>(
        context: &E,
        chain_id: ChainId,
        journal: &Journal<S>,
        posting: Option<batcher::Shared>,
    ) -> Self {
        let mut role = RoleStatus::new("publisher");
        role.waits_for("operators to say how far they are", TimeMs(0));
        let view = PublisherView {
            role,
            chain_id,
            stage: Stage::Joining,
            generation: journal.generation(),
            claimed: journal.mark(),
            settled: journal.floor().number,
            head: None,
            quarantined: false,
            source: 0,
            batcher: None,
        };
        let metrics = Registered {
            claims: context.counter("publisher_claims", "claims signed"),
            resends: context.counter("publisher_resends", "claims sent again"),
            retractions: context.counter("publisher_retractions", "retractions signed"),
            alarms: context.counter(
                "publisher_alarms",
                "answers that cannot be true, and blocks that the sequencer refused",
            ),
            failures: context
                .counter("publisher_failures", "attempts at a node or the sequencer that came to nothing"),
            head: context.gauge("publisher_head_block", "the node's head"),
            claimed: context.gauge("publisher_claimed_block", "highest block claimed"),
            settled: context.gauge("publisher_settled_block", "highest block that operators have finalised"),
        };
        Self {
            inner: Arc::new(Mutex::new(Inner { view, times: BTreeMap::new() })),
            posting,
            metrics: Arc::new(metrics),
            now_ms: Arc::default(),
        }
    }

    pub(super) fn set_now(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    fn now(&self) -> TimeMs {
        TimeMs(self.now_ms.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a plain assignment, so a poisoned view is still a whole one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> PublisherView {
        let batcher = self.posting.as_ref().map(batcher::Shared::view);
        PublisherView { batcher, ..self.lock().view.clone() }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut PublisherView)) {
        change(&mut self.lock().view);
    }

    pub(super) fn did(&self, what: impl Into<String>) {
        self.lock().view.role.did(what, self.now());
    }

    pub(super) fn waits(&self, what: impl Into<String>) {
        self.lock().view.role.waits_for(what, self.now());
    }

    pub(super) fn alarm(&self, what: &str) {
        self.metrics.alarms.inc();
        if self.lock().view.role.alarm(what, self.now()) {
            tracing::warn!(alarm = what, "publisher alarm");
        }
    }

    pub(super) fn claimed(&self, generation: Generation, mark: BlockRef) {
        self.metrics.claims.inc();
        self.position(generation, mark);
    }

    pub(super) fn retracted(&self, generation: Generation, mark: BlockRef) {
        self.metrics.retractions.inc();
        self.position(generation, mark);
        // Numbers above it will be other blocks.
        self.lock().times.split_off(&mark.number.saturating_add(1));
    }

    pub(super) fn position(&self, generation: Generation, mark: BlockRef) {
        self.metrics.claimed.set(i64::try_from(mark.number).unwrap_or(i64::MAX));
        self.change(|view| {
            view.generation = generation;
            view.claimed = mark;
        });
    }

    pub(super) fn settled(&self, number: u64, quarantined: bool) {
        self.metrics.settled.set(i64::try_from(number).unwrap_or(i64::MAX));
        self.change(|view| {
            view.settled = number;
            view.quarantined = quarantined;
        });
    }

    pub(super) fn failed(&self) {
        self.metrics.failures.inc();
    }

    pub(super) fn head(&self, head: BlockRef) {
        self.metrics.head.set(i64::try_from(head.number).unwrap_or(i64::MAX));
        self.change(|view| view.head = Some(head));
    }

    pub(super) fn resent(&self) {
        self.metrics.resends.inc();
    }

    /// Note a time of a block; the first one stays.
    pub(super) fn time(&self, number: u64, now: TimeMs, field: fn(&mut BlockTimes) -> &mut Option<TimeMs>) {
        let mut inner = self.lock();
        let times = inner.times.entry(number).or_default();
        field(times).get_or_insert(now);
        while inner.times.len() > TIMES_MAX {
            inner.times.pop_first();
        }
    }
}

impl std::fmt::Debug for PublisherHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublisherHandle").field("view", &self.view()).finish_non_exhaustive()
    }
}

/// A running publisher.
pub struct PublisherHandle {
    shared: Shared,
    handle: Handle<PublisherError>,
}

impl PublisherHandle {
    pub(super) const fn new(shared: Shared, handle: Handle<PublisherError>) -> Self {
        Self { shared, handle }
    }

    /// Where it stands.
    #[must_use]
    pub fn view(&self) -> PublisherView {
        self.shared.view()
    }

    /// The times of recent blocks from `from` on.
    #[must_use]
    pub fn times(&self, from: u64) -> BTreeMap<u64, BlockTimes> {
        self.shared.lock().times.range(from..).map(|(number, times)| (*number, *times)).collect()
    }

    /// A look that outlives the handle: for the API.
    pub fn watch(&self) -> impl Fn() -> PublisherView + Clone + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.view()
    }

    /// The same for the times of blocks.
    pub fn watch_times(&self) -> impl Fn(u64) -> BTreeMap<u64, BlockTimes> + Clone + Send + Sync + 'static {
        let shared = self.shared.clone();
        move |from| shared.lock().times.range(from..).map(|(number, times)| (*number, *times)).collect()
    }

    /// Stop at once, as a crash would.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Wait for its end; `None` when it was aborted.
    pub async fn ended(self) -> Option<PublisherError> {
        self.handle.await.ok()
    }
}
