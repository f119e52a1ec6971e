//! When blocks are due.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Beats at multiples of its period since 1970: a restart changes nothing about when blocks are due, and a beat that was missed under
/// load is left out, never made up for in a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    period_ms: u64,
}

impl Clock {
    pub(super) const fn new(period_ms: u64) -> Self {
        Self { period_ms: if period_ms == 0 { 1 } else { period_ms } }
    }

    /// How long until the next beat after `now`, the time since 1970.
    pub(super) const fn until_next(self, now: Duration) -> Duration {
        let period = self.period_ms as u128 * 1_000_000;
        let left = period - now.as_nanos() % period;
        // A period in milliseconds is far below 2^64 nanoseconds, except for an absurd one.
        Duration::from_nanos(if left > u64::MAX as u128 { u64::MAX } else { left as u64 })
    }

    pub(super) async fn beat(self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        tokio::time::sleep(self.until_next(now)).await;
    }
}
