//! What a relayer last did and what it waits for, for people and metrics.

use super::RelayerError;
use crate::status::RoleStatus;
use commonware_runtime::{
    Handle, Metrics,
    telemetry::metrics::{Counter, Gauge, MetricsExt as _},
};
use hum_relay::Counts;
use hum_types::{ChainId, Height, TimeMs};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Wei in the unit of the metrics, whose values have 63 bits.
const GWEI: u128 = 1_000_000_000;

/// A relayer at one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationView {
    /// What it did and has under way there.
    pub counts: Counts,
    /// The newest failure to read or write.
    pub last_error: Option<String>,
}

/// A relayer at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayerView {
    /// What it last did, what it waits for, its alarms.
    #[serde(flatten)]
    pub role: RoleStatus,
    /// The newest height that is certified and replayed; 0 before the first.
    pub certified: Height,
    /// That checkpoint's time.
    pub certified_time_ms: TimeMs,
    /// Where it delivers to.
    pub destinations: BTreeMap<ChainId, DestinationView>,
}

#[derive(Debug)]
struct Gauges {
    delivered: Gauge,
    refused: Gauge,
    retries: Gauge,
    left: Gauge,
    transactions: Gauge,
    reverted: Gauge,
    spend_gwei: Gauge,
    balance_gwei: Gauge,
    open: Gauge,
    in_flight: Gauge,
}

#[derive(Debug)]
struct Registered {
    certified: Gauge,
    alarms: Counter,
    destinations: BTreeMap<ChainId, Gauges>,
}

/// The view, shared between the actor and whoever looks.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    view: Arc<Mutex<RelayerView>>,
    metrics: Arc<Registered>,
}

fn clamp(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl Shared {
    pub(super) fn new<E: Metrics>(context: &E, destinations: impl Iterator<Item = ChainId> + Clone) -> Self {
        let mut role = RoleStatus::new("relayer");
        role.waits_for("operators to send a certificate", TimeMs(0));
        let view = RelayerView {
            role,
            certified: Height(0),
            certified_time_ms: TimeMs(0),
            destinations: destinations.clone().map(|id| (id, DestinationView::default())).collect(),
        };
        let gauges = |id: ChainId| {
            let context = context.child("destination").with_attribute("chain_id", id);
            Gauges {
                delivered: context.gauge("relayer_delivered", "messages executed by calls of ours"),
                refused: context.gauge("relayer_failed", "calls of ours that the recipient refused"),
                retries: context.gauge("relayer_retries", "further calls of refused messages"),
                left: context.gauge("relayer_left", "messages left to whoever retries them"),
                transactions: context.gauge("relayer_transactions", "transactions sent"),
                reverted: context.gauge("relayer_reverted", "transactions that reverted or would have"),
                spend_gwei: context.gauge("relayer_spend_gwei", "fees paid since the start, gwei"),
                balance_gwei: context.gauge("relayer_balance_gwei", "balance of the paying account, gwei"),
                open: context.gauge("relayer_open", "messages watched"),
                in_flight: context.gauge("relayer_in_flight", "transactions under way"),
            }
        };
        let metrics = Registered {
            certified: context.gauge("relayer_certified_height", "newest certified height replayed"),
            alarms: context.counter("relayer_alarms", "alarms raised"),
            destinations: destinations.map(|id| (id, gauges(id))).collect(),
        };
        Self { view: Arc::new(Mutex::new(view)), metrics: Arc::new(metrics) }
    }

    fn lock(&self) -> MutexGuard<'_, RelayerView> {
        // Every change is a plain assignment, so a poisoned view is still a whole one.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn did(&self, now: TimeMs, what: String) {
        self.lock().role.did(what, now);
    }

    pub(super) fn alarm(&self, now: TimeMs, what: &str) {
        self.metrics.alarms.inc();
        if self.lock().role.alarm(what, now) {
            tracing::warn!(alarm = what, "relayer alarm");
        }
    }

    pub(super) fn certified(&self, height: Height, time_ms: TimeMs) {
        self.metrics.certified.set(clamp(height.0));
        let mut view = self.lock();
        if view.certified == Height(0) {
            tracing::info!(%height, "first certificate");
        }
        view.certified = height;
        view.certified_time_ms = time_ms;
    }

    pub(super) fn trouble(&self, destination: ChainId, error: String) {
        if let Some(view) = self.lock().destinations.get_mut(&destination) {
            view.last_error = Some(error);
        }
    }

    pub(super) fn counts(
        &self,
        now: TimeMs,
        counts: impl Iterator<Item = (ChainId, Counts)>,
        certified: Height,
    ) {
        let mut view = self.lock();
        let (mut in_flight, mut open) = (None, None);
        for (id, counts) in counts {
            if let Some(gauges) = self.metrics.destinations.get(&id) {
                gauges.delivered.set(clamp(counts.delivered));
                gauges.refused.set(clamp(counts.refused));
                gauges.retries.set(clamp(counts.retries));
                gauges.left.set(clamp(counts.left));
                gauges.transactions.set(clamp(counts.transactions));
                gauges.reverted.set(clamp(counts.reverted));
                gauges.spend_gwei.set(clamp(counts.spent_wei / GWEI));
                gauges.balance_gwei.set(clamp(counts.balance_wei / GWEI));
                gauges.open.set(clamp(counts.open));
                gauges.in_flight.set(clamp(counts.in_flight));
            }
            if counts.in_flight > 0 {
                in_flight.get_or_insert((id, counts.in_flight));
            } else if counts.open > 0 {
                open.get_or_insert((id, counts.open));
            }
            view.destinations.entry(id).or_default().counts = counts;
        }
        let waiting_for = match (in_flight, open) {
            _ if certified == Height(0) => "operators to send a certificate".into(),
            (Some((id, count)), _) => format!("a block of chain {id} to include {count} transactions"),
            (None, Some((id, count))) => format!("{count} messages to settle on chain {id}"),
            (None, None) => "new messages".into(),
        };
        view.role.waits_for(waiting_for, now);
    }
}

/// A running relayer.
pub struct RelayerHandle {
    shared: Shared,
    handle: Handle<RelayerError>,
}

impl std::fmt::Debug for RelayerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayerHandle").field("view", &self.view()).finish_non_exhaustive()
    }
}

impl RelayerHandle {
    pub(super) const fn new(shared: Shared, handle: Handle<RelayerError>) -> Self {
        Self { shared, handle }
    }

    /// Where it stands.
    #[must_use]
    pub fn view(&self) -> RelayerView {
        self.shared.lock().clone()
    }

    /// A look that outlives the handle: for the API.
    pub fn watch(&self) -> impl Fn() -> RelayerView + Clone + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || shared.lock().clone()
    }

    /// Stop at once, as a crash would.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Wait for its end; `None` when it was aborted.
    pub async fn ended(self) -> Option<RelayerError> {
        self.handle.await.ok()
    }
}
