//! What the roles ask of the runtime, and time as they count it.

use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use hum_types::TimeMs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Clock, tasks, storage and metrics of a runtime: sockets and disk, or a simulation.
pub trait Runtime: Clock + Spawner + Storage + Metrics {}

impl<T: Clock + Spawner + Storage + Metrics> Runtime for T {}

/// The runtime's time.
pub fn now(clock: &impl Clock) -> TimeMs {
    let since = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// That moment, for `sleep_until`.
#[must_use]
pub fn moment(time: TimeMs) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH)
}
