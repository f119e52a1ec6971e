//! What a batcher last did and what it waits for.

use super::PostedBatch;
use crate::status::RoleStatus;
use commonware_runtime::{
    Metrics,
    telemetry::metrics::{Counter, Gauge, MetricsExt as _},
};
use hum_types::TimeMs;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A batcher at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatcherView {
    /// What it last did, what it waits for, its alarms.
    #[serde(flatten)]
    pub role: RoleStatus,
    /// The newest batch that L1 has; none was posted when absent.
    pub posted: Option<PostedBatch>,
    /// Batches that it posted since it started.
    pub posts: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// Blobs that carried them; none when they went in calldata.
    #[serde(default)]
    pub blobs: u64,
    /// Wei that they cost.
    #[serde(with = "hum_relay::wei")]
    pub spent_wei: u128,
}

#[derive(Debug)]
struct Registered {
    posts: Counter,
    data_bytes: Counter,
    blobs: Counter,
    failures: Counter,
    alarms: Counter,
    posted: Gauge,
}

/// The view, shared between the actor and whoever looks.
#[derive(Debug, Clone)]
pub(in crate::publisher) struct Shared {
    view: Arc<Mutex<BatcherView>>,
    metrics: Arc<Registered>,
}

impl Shared {
    pub(in crate::publisher) fn new(context: &impl Metrics) -> Self {
        let mut role = RoleStatus::new("batcher");
        role.waits_for("L1 to say what is posted", TimeMs(0));
        let view = BatcherView { role, posted: None, posts: 0, data_bytes: 0, blobs: 0, spent_wei: 0 };
        let metrics = Registered {
            posts: context.counter("batcher_posts", "batches posted"),
            data_bytes: context.counter("batcher_data_bytes", "bytes of their data"),
            blobs: context.counter("batcher_blobs", "blobs that carried them"),
            failures: context.counter("batcher_failures", "attempts that came to nothing"),
            alarms: context.counter("batcher_alarms", "what people should look at"),
            posted: context.gauge("batcher_posted_block", "last block that L1 has"),
        };
        Self { view: Arc::new(Mutex::new(view)), metrics: Arc::new(metrics) }
    }

    fn lock(&self) -> MutexGuard<'_, BatcherView> {
        // Every change is a plain assignment, so a poisoned view is still a whole one.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::publisher) fn view(&self) -> BatcherView {
        self.lock().clone()
    }

    pub(super) fn saw(&self, posted: Option<PostedBatch>) {
        let block = posted.map_or(0, |batch| batch.last.number);
        self.metrics.posted.set(i64::try_from(block).unwrap_or(i64::MAX));
        self.lock().posted = posted;
    }

    pub(super) fn posted(&self, data_bytes: usize, blobs: u64, spent_wei: u128) {
        let bytes = data_bytes as u64;
        self.metrics.posts.inc();
        self.metrics.data_bytes.inc_by(bytes);
        self.metrics.blobs.inc_by(blobs);
        let mut view = self.lock();
        view.posts += 1;
        view.data_bytes = view.data_bytes.saturating_add(bytes);
        view.blobs = view.blobs.saturating_add(blobs);
        view.spent_wei = spent_wei;
    }

    pub(super) fn did(&self, what: impl Into<String>, at: TimeMs) {
        self.lock().role.did(what, at);
    }

    pub(super) fn waits(&self, what: impl Into<String>, at: TimeMs) {
        self.lock().role.waits_for(what, at);
    }

    pub(super) fn failed(&self) {
        self.metrics.failures.inc();
    }

    pub(super) fn alarm(&self, what: &str, at: TimeMs) {
        self.metrics.alarms.inc();
        if self.lock().role.alarm(what, at) {
            tracing::warn!(alarm = what, "batcher alarm");
        }
    }
}
