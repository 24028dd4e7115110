//! Times as the database keeps them: milliseconds since 1970, 0 for none.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;

/// Milliseconds since 1970.
pub(crate) type Millis = i64;

/// What the queue takes for now. Trainers that share a database keep their clocks in step; a lease is long
/// against what they differ by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    /// Milliseconds by which it is put forward; zero outside tests.
    ahead: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Millis {
        let now = millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        now + self.ahead.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Lets time pass.
    #[cfg(test)]
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead.fetch_add(millis(by), std::sync::atomic::Ordering::Relaxed);
    }
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The message of a time; none for 0.
pub(crate) fn timestamp(millis: Millis) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: (millis.rem_euclid(1000) * 1_000_000) as i32,
    })
}
