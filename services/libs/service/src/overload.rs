//! Shedding at the door: a bounded number of requests in flight, one more is refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// A request that was refused because too many are in flight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{limit} requests are in flight already, which is the limit: retry after the delay in the details")]
pub struct Overloaded {
    limit: usize,
}

impl Coded for Overloaded {
    fn code(&self) -> ErrorCode {
        ErrorCode::Overloaded
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![("limit", self.limit.to_string())]
    }
}

/// Counts requests in flight against a limit. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    in_flight: Arc<AtomicUsize>,
    limit: usize,
}

/// A place taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Admission {
    /// Room for `limit` requests.
    pub(crate) fn new(limit: usize) -> Self {
        Self { in_flight: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// A place, if there is one.
    pub(crate) fn admit(&self) -> Result<Permit, Overloaded> {
        // Counting first and looking afterwards is one instruction; a refused request makes the count too
        // high only for a moment.
        let before = self.in_flight.fetch_add(1, Ordering::Acquire);
        let permit = Permit(Arc::clone(&self.in_flight));
        if before < self.limit { Ok(permit) } else { Err(Overloaded { limit: self.limit }) }
    }

    /// Requests in flight now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let admission = Admission::new(2);
        let first = admission.admit().unwrap();
        let _second = admission.admit().unwrap();
        assert_eq!(admission.admit().unwrap_err(), Overloaded { limit: 2 });
        assert_eq!(admission.in_flight(), 2);
        drop(first);
        assert!(admission.admit().is_ok());
    }
}
