//! Deadlines, read from `grpc-timeout` and passed on to the next service.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use crate::request::Arrival;

const TIMEOUT_HEADER: &str = "grpc-timeout";

/// Kept back when a deadline is passed on, so that the answer of the next service (or its refusal) can still
/// be turned into ours.
const MARGIN: Duration = Duration::from_millis(5);

/// The moment at which the caller of a request gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline of a request, if its caller set one: counted from the request's arrival at the server,
    /// or from now for a request that did not come through it. A malformed header counts as none.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        if let Some(arrival) = Arrival::from_request(request) {
            return arrival.deadline;
        }
        let text = request.metadata().get(TIMEOUT_HEADER)?.to_str().ok()?;
        Some(Self(Instant::now() + parse_timeout(text)?))
    }

    /// The deadline that is this far from now.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// The moment itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// The time left; zero once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether the caller has given up: work for it can be skipped.
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// Gives an outgoing request the time left, less a margin of 5 ms (at most a tenth of the time left).
    pub fn apply<T>(self, outgoing: &mut tonic::Request<T>) {
        let remaining = self.remaining();
        outgoing.set_timeout(remaining.saturating_sub(MARGIN.min(remaining / 10)));
    }
}

/// The deadline in these headers, counted from `arrival`.
pub(crate) fn from_headers(headers: &HeaderMap, arrival: Instant) -> Option<Deadline> {
    let text = headers.get(TIMEOUT_HEADER)?.to_str().ok()?;
    Some(Deadline(arrival + parse_timeout(text)?))
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol: at most eight digits and one of `HMSmun`.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_six_units() {
        let cases = [
            ("1H", 3_600_000_000),
            ("2M", 120_000_000),
            ("3S", 3_000_000),
            ("4m", 4_000),
            ("5u", 5),
            ("6000n", 6),
            ("99999999H", 359_999_996_400_000_000),
        ];
        for (text, micros) in cases {
            assert_eq!(parse_timeout(text), Some(Duration::from_micros(micros)), "{text}");
        }
        for bad in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", "1\u{e9}"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?} must be refused");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_passed_on_with_a_margin() {
        let mut incoming = tonic::Request::new(());
        assert_eq!(Deadline::of(&incoming), None);
        incoming.set_timeout(Duration::from_secs(1));
        let deadline = Deadline::of(&incoming).unwrap();
        assert_eq!(deadline.remaining(), Duration::from_secs(1));

        let passed_on = |deadline: Deadline| {
            let mut outgoing = tonic::Request::new(());
            deadline.apply(&mut outgoing);
            outgoing.metadata().get(TIMEOUT_HEADER).unwrap().to_str().unwrap().to_owned()
        };
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(parse_timeout(&passed_on(deadline)), Some(Duration::from_millis(595)));
        tokio::time::advance(Duration::from_millis(590)).await;
        assert_eq!(parse_timeout(&passed_on(deadline)), Some(Duration::from_millis(9)));
        assert!(!deadline.has_passed());
        tokio::time::advance(Duration::from_millis(10)).await;
        assert!(deadline.has_passed());
        assert_eq!(parse_timeout(&passed_on(deadline)), Some(Duration::ZERO));
    }
}
