//! Why an attempt failed, and what follows from it.

use std::time::Duration;

use gifthorse_api::catalogue::{ErrorClass, ErrorCode};
use gifthorse_api::v1;
use gifthorse_api::v1::job_fault::Kind;

use crate::configuration::JobsConfiguration;

/// The longest message of a fault that is kept, in characters.
const MESSAGE: usize = 2000;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The class, which decides what follows.
    pub(crate) kind: Kind,
    /// The code of the catalogue; workers of other releases may know more codes.
    pub(crate) reason: String,
    /// For a person.
    pub(crate) message: String,
}

impl Fault {
    /// A fault that this trainer found.
    pub(crate) fn new(kind: Kind, reason: ErrorCode, message: impl Into<String>) -> Self {
        Self { kind, reason: reason.to_string(), message: message.into() }
    }

    /// A fault that a worker reports; one without a class is internal.
    pub(crate) fn of(message: &v1::JobFault) -> Self {
        let kind = match message.kind() {
            Kind::Unspecified => Kind::Internal,
            kind => kind,
        };
        Self {
            kind,
            reason: message.reason.chars().take(64).collect(),
            message: message.message.chars().take(MESSAGE).collect(),
        }
    }

    /// The message of the API.
    pub(crate) fn message(&self) -> v1::JobFault {
        v1::JobFault { kind: self.kind.into(), reason: self.reason.clone(), message: self.message.clone() }
    }

    /// What keeps a worker from starting for now; nothing has failed.
    pub(crate) fn waits(kind: Kind, message: impl Into<String>) -> Self {
        Self::new(kind, ErrorCode::WorkerWaits, message)
    }

    /// Whether nothing has failed and a worker only waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.reason == ErrorCode::WorkerWaits.as_str()
    }

    /// Whether another attempt may go better. A worker that used too much memory gets one more: its neighbours
    /// may have been to blame.
    pub(super) fn may_pass(&self, failures: i64) -> bool {
        match self.kind {
            Kind::WorkerLost | Kind::Launch | Kind::Unschedulable => true,
            Kind::OutOfMemory => failures == 0,
            Kind::Internal | Kind::Unspecified => !self.is_final(),
            Kind::Invalid | Kind::Numerical | Kind::Deadline => false,
        }
    }

    /// Whether the code itself says that the same will be answered again.
    fn is_final(&self) -> bool {
        let class = ErrorCode::from_text(&self.reason).map(ErrorCode::class);
        matches!(
            class,
            Some(ErrorClass::Unbuilt | ErrorClass::Invalid | ErrorClass::Missing | ErrorClass::Exists)
        )
    }
}

/// The pause after this many failures, the first counting as 1.
pub(super) fn pause(settings: &JobsConfiguration, failures: i64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(0);
    settings.backoff.saturating_mul(1 << doublings).min(settings.backoff_limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_about_another_attempt() {
        let fault = |kind, reason| Fault::new(kind, reason, "");
        assert!(fault(Kind::WorkerLost, ErrorCode::WorkerLost).may_pass(7));
        assert!(fault(Kind::Launch, ErrorCode::WorkerNotStarted).may_pass(7));
        assert!(fault(Kind::Internal, ErrorCode::StoreUnavailable).may_pass(0));
        assert!(!fault(Kind::Internal, ErrorCode::NotBuilt).may_pass(0));
        assert!(!fault(Kind::Internal, ErrorCode::DatasetNotFound).may_pass(0));
        assert!(fault(Kind::OutOfMemory, ErrorCode::WorkerOutOfMemory).may_pass(0));
        assert!(!fault(Kind::OutOfMemory, ErrorCode::WorkerOutOfMemory).may_pass(1));
        for kind in [Kind::Invalid, Kind::Numerical, Kind::Deadline] {
            assert!(!fault(kind, ErrorCode::Internal).may_pass(0), "{kind:?}");
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let settings = JobsConfiguration {
            backoff: Duration::from_secs(2),
            backoff_limit: Duration::from_secs(9),
            ..JobsConfiguration::default()
        };
        let pauses: Vec<u64> = (1..=5).map(|failures| pause(&settings, failures).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 9, 9]);
        assert_eq!(pause(&settings, i64::MAX).as_secs(), 9);
    }
}
