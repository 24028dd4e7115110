//! How the gateway has one input scanned, and what it can mean that no verdict comes back.

use std::time::Duration;

use gifthorse_api::catalogue::{ErrorClass, ErrorCode};
use gifthorse_api::status::{code_of, status, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::detection_client::DetectionClient;
use gifthorse_api::v1::policy::Failure;
use gifthorse_api::v1::verdict::Kind;
use gifthorse_service::Deadline;
use gifthorse_service::client::{ClientError, Peer};
use gifthorse_service::request::Caller;
use tonic::{Code, Status};

/// Kept back of the deadline under a policy that answers without a verdict, so that this answer still arrives;
/// at most a quarter of the time left.
const MARGIN: Duration = Duration::from_millis(50);

/// Why an input has no verdict, with what was said.
#[derive(Debug)]
pub(crate) enum ScanFailure {
    /// The request is wrong, whoever scans it.
    Request(Status),
    /// The policy's calibration does not belong to the version or the preprocessing that answers.
    Mismatch(Status),
    /// The time ran out.
    Late(Status),
    /// The detector is not there, has no room or is broken.
    Unavailable(Status),
}

impl ScanFailure {
    /// The kind of failure that a status of the detector is.
    pub(crate) fn of(failed: Status) -> Self {
        match code_of(&failed) {
            Some(ErrorCode::CalibrationMismatch) => Self::Mismatch(failed),
            Some(ErrorCode::DeadlineExceeded) => Self::Late(failed),
            Some(code) if code.class() == ErrorClass::Invalid => Self::Request(failed),
            None if failed.code() == Code::DeadlineExceeded => Self::Late(failed),
            _ => Self::Unavailable(failed),
        }
    }

    /// What was said.
    pub(crate) fn status(&self) -> &Status {
        match self {
            Self::Request(status)
            | Self::Mismatch(status)
            | Self::Late(status)
            | Self::Unavailable(status) => status,
        }
    }
}

/// Asks the detector for verdicts. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Detection {
    detector: Peer,
}

impl Detection {
    pub(crate) fn new(detector: Peer) -> Self {
        Self { detector }
    }

    /// Scans one input for this caller; give it what [`patient`] makes of the real one. A verdict that comes
    /// back is CLEAN or TROJANED. The scan is given up when the future is dropped.
    pub(crate) async fn scan(
        &self,
        request: v1::ScanRequest,
        caller: &Caller,
    ) -> Result<v1::ScanResponse, ScanFailure> {
        let asked = request.model.clone();
        let mut client = DetectionClient::new(self.detector.channel())
            .max_decoding_message_size(self.detector.message_bytes());
        let scanning = client.scan(caller.request(request));
        let answered = match caller.deadline {
            None => scanning.await,
            // The channel counts from the moment it is connected, which a detector that hangs can put off.
            Some(deadline) => match tokio::time::timeout_at(deadline.instant(), scanning).await {
                Ok(answered) => answered,
                Err(_) => Err(status_of(&ClientError::Late { service: self.detector.service() })),
            },
        };
        let answer = answered.map_err(|failed| ScanFailure::of(self.detector.explain(failed)))?.into_inner();
        let wrong = |what: &str| {
            let message = format!("the detector service answered {what} for {asked}");
            ScanFailure::Unavailable(status(ErrorCode::Internal, &message))
        };
        if !answer.model_version.is_empty() && answer.model_version != asked {
            return Err(wrong(&format!("a scan of {}", answer.model_version)));
        }
        match answer.verdict() {
            Kind::Clean | Kind::Trojaned => Ok(answer),
            other => Err(wrong(&format!("the verdict {}", other.as_str_name()))),
        }
    }
}

/// The caller as its scans see it: under a policy that answers without a verdict, one who gives up a little
/// earlier than it really does.
pub(crate) fn patient(caller: &Caller, policy: &v1::Policy) -> Caller {
    let mut patient = caller.clone();
    if policy.failure() == Failure::FailOpen {
        patient.deadline = caller.deadline.map(|deadline| {
            let remaining = deadline.remaining();
            Deadline::after(remaining.saturating_sub(MARGIN.min(remaining / 4)))
        });
    }
    patient
}

/// What an override of a request changes for the scan: the tensor is in the model's layout already.
pub(crate) fn scanned_override(
    overrides: Option<v1::PreprocessingOverride>,
) -> Option<v1::PreprocessingOverride> {
    let overrides = v1::PreprocessingOverride { layout: 0, ..overrides.unwrap_or_default() };
    (overrides != v1::PreprocessingOverride::default()).then_some(overrides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        let of = |code| ScanFailure::of(status(code, "said"));
        assert!(matches!(of(ErrorCode::CalibrationMismatch), ScanFailure::Mismatch(_)));
        assert!(matches!(of(ErrorCode::DeadlineExceeded), ScanFailure::Late(_)));
        assert!(matches!(of(ErrorCode::TensorNotFinite), ScanFailure::Request(_)));
        for code in [ErrorCode::QueueFull, ErrorCode::ServiceUnavailable, ErrorCode::NotBuilt] {
            assert!(matches!(of(code), ScanFailure::Unavailable(_)), "{code}");
        }
        // Not one of ours: it says nothing about the request.
        let foreign = ScanFailure::of(Status::invalid_argument("a proxy's"));
        assert!(matches!(foreign, ScanFailure::Unavailable(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_policy_that_fails_open_keeps_time_back() {
        let caller = |seconds| {
            let mut caller = Caller::default();
            caller.deadline = Some(Deadline::after(Duration::from_secs_f64(seconds)));
            caller
        };
        let left = |caller: &Caller, failure: Failure| {
            let policy = v1::Policy { failure: failure.into(), ..v1::Policy::default() };
            patient(caller, &policy).deadline.map(Deadline::remaining)
        };
        assert_eq!(left(&caller(1.0), Failure::Unspecified), Some(Duration::from_secs(1)));
        assert_eq!(left(&caller(1.0), Failure::FailOpen), Some(Duration::from_millis(950)));
        assert_eq!(left(&caller(0.1), Failure::FailOpen), Some(Duration::from_millis(75)));
        assert_eq!(left(&Caller::default(), Failure::FailOpen), None);
    }

    #[test]
    fn the_layout_of_an_override_is_done_with() {
        let nchw = v1::PreprocessingOverride { layout: 2, ..v1::PreprocessingOverride::default() };
        assert_eq!(scanned_override(Some(nchw)), None);
        let scaled = v1::PreprocessingOverride { scale: 1.0, ..nchw };
        let passed_on = scanned_override(Some(scaled)).unwrap();
        assert_eq!((passed_on.scale.to_bits(), passed_on.layout), (1.0_f64.to_bits(), 0));
    }
}
