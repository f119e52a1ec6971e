//! A process whose clock is wrong.

use super::Context;
use commonware_runtime::{
    BlobVersion, Clock, Error, Handle, Metrics, Name, Spawner, Storage, Supervisor, signal, telemetry,
};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// The runtime as a process sees it whose clock is ahead, or behind. Durations are right.
pub(super) struct Skewed {
    inner: Context,
    /// How far ahead, in milliseconds; behind when negative.
    ahead_ms: i64,
}

impl Skewed {
    pub(super) fn new(inner: Context, ahead_ms: i64) -> Self {
        Self { inner, ahead_ms }
    }

    fn with(&self, inner: Context) -> Self {
        Self { inner, ahead_ms: self.ahead_ms }
    }

    fn moved(time: SystemTime, by_ms: i64) -> SystemTime {
        let by = Duration::from_millis(by_ms.unsigned_abs());
        let moved = if by_ms < 0 { time.checked_sub(by) } else { time.checked_add(by) };
        moved.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

impl Supervisor for Skewed {
    fn name(&self) -> Name {
        self.inner.name()
    }

    fn child(&self, label: &'static str) -> Self {
        self.with(self.inner.child(label))
    }

    fn with_attribute(self, key: &'static str, value: impl fmt::Display) -> Self {
        let ahead_ms = self.ahead_ms;
        Self { inner: self.inner.with_attribute(key, value), ahead_ms }
    }
}

impl Spawner for Skewed {
    fn shared(self, blocking: bool) -> Self {
        Self { inner: self.inner.shared(blocking), ahead_ms: self.ahead_ms }
    }

    fn dedicated(self) -> Self {
        Self { inner: self.inner.dedicated(), ahead_ms: self.ahead_ms }
    }

    fn spawn<F, Fut, T>(self, f: F) -> Handle<T>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let ahead_ms = self.ahead_ms;
        self.inner.spawn(move |inner| f(Self { inner, ahead_ms }))
    }

    async fn stop(self, value: i32, timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.stop(value, timeout).await
    }

    fn stopped(&self) -> signal::Signal {
        self.inner.stopped()
    }
}

impl Metrics for Skewed {
    fn register<N: Into<String>, H: Into<String>, M: telemetry::metrics::Metric>(
        &self,
        name: N,
        help: H,
        metric: M,
    ) -> telemetry::metrics::Registered<M> {
        self.inner.register(name, help, metric)
    }

    fn encode(&self) -> String {
        self.inner.encode()
    }
}

impl governor::clock::Clock for Skewed {
    type Instant = SystemTime;

    fn now(&self) -> SystemTime {
        self.current()
    }
}

impl governor::clock::ReasonablyRealtime for Skewed {}

impl Clock for Skewed {
    fn current(&self) -> SystemTime {
        Self::moved(self.inner.current(), self.ahead_ms)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep(duration)
    }

    fn sleep_until(&self, deadline: SystemTime) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.inner.sleep_until(Self::moved(deadline, self.ahead_ms.saturating_neg()))
    }
}

impl Storage for Skewed {
    type Blob = <Context as Storage>::Blob;

    async fn open_versioned(
        &self,
        partition: &str,
        name: &[u8],
        versions: std::ops::RangeInclusive<BlobVersion>,
    ) -> Result<(Self::Blob, u64, BlobVersion), Error> {
        self.inner.open_versioned(partition, name, versions).await
    }

    async fn remove(&self, partition: &str, name: Option<&[u8]>) -> Result<(), Error> {
        self.inner.remove(partition, name).await
    }

    async fn scan(&self, partition: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.inner.scan(partition).await
    }
}
