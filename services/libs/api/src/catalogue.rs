//! The closed catalogue of errors.
//!
//! Every error that can leave a service has one [`ErrorCode`]. Rooms define their own `thiserror` enums and
//! implement [`Coded`] for them with an exhaustive match; the `status` module (feature `grpc`) turns a coded
//! error into a `tonic::Status` with machine-readable details, in one place.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The domain under which the reasons below are published in `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "gifthorse.dev";

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident => $text:literal, $class:ident;)*) => {
        /// What went wrong, stable across releases: clients may match on the text of these codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The published text of the code, as in `google.rpc.ErrorInfo.reason`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The family the code belongs to, which decides the gRPC status.
            pub const fn class(self) -> ErrorClass {
                match self { $(Self::$variant => ErrorClass::$class,)* }
            }
        }
    };
}

/// The families of errors; each is one gRPC status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request is wrong whatever the state of the service: `INVALID_ARGUMENT`.
    Invalid,
    /// The request is right but the state forbids it: `FAILED_PRECONDITION`.
    Precondition,
    /// The named thing does not exist: `NOT_FOUND`.
    Missing,
    /// The named thing exists already and is different: `ALREADY_EXISTS`.
    Exists,
    /// The caller did not prove who it is: `UNAUTHENTICATED`.
    Unauthenticated,
    /// The caller may not do this: `PERMISSION_DENIED`.
    Denied,
    /// Try again later, a limit was reached: `RESOURCE_EXHAUSTED`.
    Exhausted,
    /// Try again later, a part is not there: `UNAVAILABLE`.
    Unavailable,
    /// The deadline passed: `DEADLINE_EXCEEDED`.
    Deadline,
    /// The caller went away: `CANCELLED`.
    Cancelled,
    /// Stored bytes are not what was stored: `DATA_LOSS`.
    Corrupt,
    /// Not built: `UNIMPLEMENTED`.
    Unbuilt,
    /// A fault of ours: `INTERNAL`.
    Internal,
}

catalogue! {
    /// A resource name, version or identifier has forbidden characters or form.
    InvalidName => "INVALID_NAME", Invalid;
    /// A field of the request has a value outside its contract.
    InvalidField => "INVALID_FIELD", Invalid;
    /// A page token was not made by this service for this listing.
    InvalidPageToken => "INVALID_PAGE_TOKEN", Invalid;
    /// A tensor has another name than the model's inputs.
    UnknownTensor => "UNKNOWN_TENSOR", Invalid;
    /// A tensor has another shape than the model takes.
    TensorShape => "TENSOR_SHAPE", Invalid;
    /// A tensor has another data type than the model takes.
    TensorType => "TENSOR_TYPE", Invalid;
    /// A tensor's content is longer or shorter than its shape says.
    TensorLength => "TENSOR_LENGTH", Invalid;
    /// A tensor holds NaN or an infinity.
    TensorNotFinite => "TENSOR_NOT_FINITE", Invalid;
    /// Bytes are not a picture in a format we read, or are damaged.
    ImageInvalid => "IMAGE_INVALID", Invalid;
    /// A picture has more pixels or bytes than the limit.
    ImageTooLarge => "IMAGE_TOO_LARGE", Invalid;
    /// A picture has another size than the model takes and the record names no resize rule.
    ImageSize => "IMAGE_SIZE", Invalid;
    /// A picture has a pixel format the model's record does not take (alpha, 16 bit, grey).
    ImageFormat => "IMAGE_FORMAT", Invalid;
    /// A model file is damaged or not of a kind we read.
    ModelFileInvalid => "MODEL_FILE_INVALID", Invalid;
    /// A model file uses a layer, operator or option we do not support; it is named.
    ModelFileUnsupported => "MODEL_FILE_UNSUPPORTED", Invalid;
    /// A model file asks for something that is refused on principle (Lambda, custom objects, outside files).
    ModelFileRefused => "MODEL_FILE_REFUSED", Invalid;
    /// A model has NaN or infinite weights, or answers with them.
    ModelNotFinite => "MODEL_NOT_FINITE", Invalid;
    /// A network is sound but not an image classifier (an autoencoder, say).
    NotAClassifier => "NOT_A_CLASSIFIER", Invalid;
    /// A data-set file is damaged, inconsistent or not of a kind we read.
    DatasetInvalid => "DATASET_INVALID", Invalid;
    /// A file or message is larger than the limit.
    TooLarge => "TOO_LARGE", Invalid;
    /// Reading a foreign file used more memory or time than it may, or crashed its process.
    ForeignFileKilled => "FOREIGN_FILE_KILLED", Invalid;
    /// No such model.
    ModelNotFound => "MODEL_NOT_FOUND", Missing;
    /// No such version of the model.
    ModelVersionNotFound => "MODEL_VERSION_NOT_FOUND", Missing;
    /// No such data set.
    DatasetNotFound => "DATASET_NOT_FOUND", Missing;
    /// No such artefact (a calibration, policy, alarm, job or report).
    ResourceNotFound => "RESOURCE_NOT_FOUND", Missing;
    /// The name is taken by something with other content.
    AlreadyExists => "ALREADY_EXISTS", Exists;
    /// The same request id was used with another payload.
    RequestIdReused => "REQUEST_ID_REUSED", Exists;
    /// The job has ended already: nothing of it can be changed any more.
    JobEnded => "JOB_ENDED", Precondition;
    /// The lease has expired, was given to another worker, or its job has ended: the worker's reports are refused.
    LeaseLost => "LEASE_LOST", Precondition;
    /// The mathematics of a job failed: a loss that is not a number, or nothing left of the network.
    NumericalFault => "NUMERICAL_FAULT", Invalid;
    /// A worker used more memory than it may.
    WorkerOutOfMemory => "WORKER_OUT_OF_MEMORY", Exhausted;
    /// A worker died, or was not heard of for too long.
    WorkerLost => "WORKER_LOST", Unavailable;
    /// A worker could not be started.
    WorkerNotStarted => "WORKER_NOT_STARTED", Unavailable;
    /// A worker waits for a node, an image or a quota, and starts as soon as there is one.
    WorkerWaits => "WORKER_WAITS", Unavailable;
    /// The model is known but not loaded, or has failed to load.
    ModelNotReady => "MODEL_NOT_READY", Unavailable;
    /// A version cannot be exported in the format asked for.
    ExportImpossible => "EXPORT_IMPOSSIBLE", Precondition;
    /// A calibration has too few images for the guarantee asked for; the facts say how many would do.
    CalibrationTooSmall => "CALIBRATION_TOO_SMALL", Precondition;
    /// A calibration was made for another version, preprocessing or input than the one asked for.
    CalibrationMismatch => "CALIBRATION_MISMATCH", Precondition;
    /// A foreign server answers the probes of a linked network otherwise than when it was linked.
    LinkedModelChanged => "LINKED_MODEL_CHANGED", Precondition;
    /// The policy asks that trojaned inputs are refused, and this is one.
    InputTrojaned => "INPUT_TROJANED", Precondition;
    /// The operation would remove something that is in use.
    InUse => "IN_USE", Precondition;
    /// The repair gate has not let this repaired version through: it answers nobody.
    NotRepaired => "NOT_REPAIRED", Precondition;
    /// The etag sent is not the current one: someone else was faster. Read again, then decide again.
    EtagMismatch => "ETAG_MISMATCH", Precondition;
    /// The execution provider asked for (CUDA, say) cannot be had and falling back is switched off.
    ExecutionProviderMissing => "EXECUTION_PROVIDER_MISSING", Precondition;
    /// The caller sent no token, or one that is not valid here.
    Unauthenticated => "UNAUTHENTICATED", Unauthenticated;
    /// The caller has no right to do this.
    PermissionDenied => "PERMISSION_DENIED", Denied;
    /// A queue is full; retry after the delay in the details.
    QueueFull => "QUEUE_FULL", Exhausted;
    /// Too many requests at once; retry after the delay in the details.
    Overloaded => "OVERLOADED", Exhausted;
    /// The request's deadline passed before it was done.
    DeadlineExceeded => "DEADLINE_EXCEEDED", Deadline;
    /// The caller went away before the request was done.
    Cancelled => "CANCELLED", Cancelled;
    /// Another service of the house does not answer.
    ServiceUnavailable => "SERVICE_UNAVAILABLE", Unavailable;
    /// The artefact store does not answer.
    StoreUnavailable => "STORE_UNAVAILABLE", Unavailable;
    /// The database of the jobs does not answer, or is locked for too long.
    DatabaseUnavailable => "DATABASE_UNAVAILABLE", Unavailable;
    /// The service is stopping and takes no new work.
    Draining => "DRAINING", Unavailable;
    /// Stored bytes do not have the digest they were stored with.
    DigestMismatch => "DIGEST_MISMATCH", Corrupt;
    /// A stored record cannot be read.
    RecordInvalid => "RECORD_INVALID", Corrupt;
    /// The rpc is part of the contract but not built in this release.
    NotBuilt => "NOT_BUILT", Unbuilt;
    /// The inference engine failed.
    EngineFailed => "ENGINE_FAILED", Internal;
    /// A detector that the policy needs did not answer; there is no label.
    DetectorUnavailable => "DETECTOR_UNAVAILABLE", Unavailable;
    /// A fault of ours; the message says where.
    Internal => "INTERNAL", Internal;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl ErrorCode {
    /// The code with this published text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

/// An error that knows its place in the catalogue.
///
/// The `Display` text is the message a person reads: what was wrong, with which value, and what to do.
pub trait Coded: std::error::Error {
    /// The code of this error.
    fn code(&self) -> ErrorCode;

    /// The field of the request that is at fault, in the form `a.b[2].c`, where there is one.
    fn field(&self) -> Option<String> {
        None
    }

    /// Key-value facts for programs (shape expected, shape found); keys in lowerCamelCase.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// After how long the same request may succeed, where the error itself can tell: it overrides the delay
    /// that callers are told for the error's class.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_unique_and_found_again() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_text(code.as_str()), Some(*code));
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
        }
    }
}
