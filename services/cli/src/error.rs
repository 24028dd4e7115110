//! Everything that ends a command, with its code in the catalogue, its exit status and a hint what to do.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::status::code_of;
use gifthorse_report::ReportError;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::address::{AddressError, GatewayAddress};
use crate::commands::model::class_names::ClassNamesError;
use crate::commands::model::download::DownloadError;
use crate::up::UpError;
use crate::upload::FolderError;
use crate::usage::UsageError;

/// The command did what it was asked to.
pub const DONE: u8 = 0;
/// A service refused, or something failed.
pub const FAILED: u8 = 1;
/// What was typed cannot be done: a wrong argument, or a local file that is not there.
pub const USAGE: u8 = 2;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nobody answers at the gateway's address, or the connection broke.
    #[error("the gateway at {gateway} does not answer: {reason}")]
    Unreachable {
        /// The address that was tried.
        gateway: GatewayAddress,
        /// What the system says.
        reason: String,
    },
    /// The service answered with an error.
    #[error("{}", text_of(.status))]
    Refused {
        /// Its answer.
        status: Box<Status>,
    },
    /// The stream of answers did not follow the contract.
    #[error("the gateway broke the contract of its stream: {detail}")]
    Stream {
        /// What came instead.
        detail: &'static str,
    },
    /// Arguments do not go together, or lead nowhere.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// A file named on the command line cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    LocalFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder cannot be packed as a data set.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The file of class names is not one.
    #[error(transparent)]
    ClassNames(#[from] ClassNamesError),
    /// The address cannot be listened on.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// An export did not arrive as announced or cannot be written.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// There is no place for a report.
    #[error("no report can be written into {}: {source}", .path.display())]
    ReportFolder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A report cannot be made of what was measured.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A job that was waited for did not come to a result.
    #[error("{job} has not come to a result: {reason}")]
    Job {
        /// The job.
        job: String,
        /// The published code of its fault.
        code: String,
        /// What happened.
        reason: String,
    },
    /// `up` cannot start or a service ended.
    #[error(transparent)]
    Up(#[from] UpError),
    /// A reply does not fit the descriptors it was compiled with.
    #[error("a reply cannot be written as JSON: {0}")]
    Json(String),
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// The operating system gives no event loop.
    #[error("cannot start the event loop: {0}")]
    Runtime(io::Error),
    /// A thread that read a file ended by itself.
    #[error("reading the file failed: {0}")]
    Reader(#[from] tokio::task::JoinError),
}

impl CommandError {
    /// The exit status that the command ends with.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::LocalFile { .. }
            | Self::ReportFolder { .. }
            | Self::Folder(_)
            | Self::ClassNames(_)
            | Self::Address(_) => USAGE,
            Self::Download(error) if error.is_usage() => USAGE,
            Self::Up(error) if error.is_usage() => USAGE,
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::Stream { .. }
            | Self::Download(_)
            | Self::Report(_)
            | Self::Job { .. }
            | Self::Up(_)
            | Self::Json(_)
            | Self::Output(_)
            | Self::Runtime(_)
            | Self::Reader(_) => FAILED,
        }
    }

    /// [`exit_status`](Self::exit_status) for `main`.
    pub fn exit_code(&self) -> ExitCode {
        self.exit_status().into()
    }

    /// The published code: the service's own where it sent one, even if it is newer than this program.
    pub fn published_code(&self) -> String {
        let sent = match self {
            Self::Refused { status } => {
                status.get_error_details().error_info().map(|info| info.reason.clone())
            }
            Self::Job { code, .. } => Some(code.clone()),
            _ => None,
        };
        sent.filter(|reason| !reason.is_empty()).unwrap_or_else(|| self.code().to_string())
    }

    /// The gRPC status code, the service's own where it answered.
    pub fn grpc_code(&self) -> Code {
        match self {
            Self::Refused { status } => status.code(),
            _ => gifthorse_api::status::grpc_code(self.code().class()),
        }
    }

    /// What a person can do about it, where the message alone does not say.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some(
                "start the house with `gifthorse up`, or name its gateway by --gateway or GIFTHORSE_GATEWAY",
            ),
            Self::Refused { .. } => match self.code() {
                ErrorCode::ModelNotFound => Some("`gifthorse model list` shows the models"),
                ErrorCode::ModelVersionNotFound => Some("`gifthorse model list NAME` shows the versions"),
                ErrorCode::DatasetNotFound => Some("`gifthorse dataset list` shows the data sets"),
                ErrorCode::CalibrationTooSmall => Some(
                    "the calibration is kept: `gifthorse policy set` takes it with a larger --alpha or fewer shares",
                ),
                ErrorCode::CalibrationMismatch => {
                    Some("`gifthorse calibrate` makes a calibration of what is asked for")
                }
                ErrorCode::JobEnded => Some("`gifthorse job show ID` shows how it ended"),
                ErrorCode::QueueFull | ErrorCode::Overloaded => Some("the service is busy: try again"),
                ErrorCode::ImageSize => Some(
                    "send pictures of the model's size, or import the model with a rule: --resize FILTER:FIT",
                ),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Coded for CommandError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Unreachable { .. } => ErrorCode::ServiceUnavailable,
            Self::Refused { status } => code_of(status).unwrap_or_else(|| fallback(status.code())),
            Self::LocalFile { .. } | Self::ReportFolder { .. } | Self::Address(_) => ErrorCode::InvalidField,
            Self::Usage(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::ClassNames(error) => error.code(),
            Self::Download(error) => error.code(),
            Self::Report(error) => error.code(),
            Self::Up(error) => error.code(),
            Self::Job { code, .. } => ErrorCode::from_text(code).unwrap_or(ErrorCode::Internal),
            Self::Stream { .. } | Self::Json(_) | Self::Output(_) | Self::Runtime(_) | Self::Reader(_) => {
                ErrorCode::Internal
            }
        }
    }
}

/// The nearest code for a status that carries none: it comes from a proxy, or from the transport.
const fn fallback(code: Code) -> ErrorCode {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorCode::InvalidField,
        Code::NotFound => ErrorCode::ResourceNotFound,
        Code::AlreadyExists => ErrorCode::AlreadyExists,
        Code::PermissionDenied => ErrorCode::PermissionDenied,
        Code::Unauthenticated => ErrorCode::Unauthenticated,
        Code::ResourceExhausted => ErrorCode::Overloaded,
        Code::FailedPrecondition | Code::Aborted => ErrorCode::InUse,
        Code::Unimplemented => ErrorCode::NotBuilt,
        Code::Unavailable => ErrorCode::ServiceUnavailable,
        Code::DeadlineExceeded => ErrorCode::DeadlineExceeded,
        Code::Cancelled => ErrorCode::Cancelled,
        Code::DataLoss => ErrorCode::DigestMismatch,
        Code::Ok | Code::Unknown | Code::Internal => ErrorCode::Internal,
    }
}

fn text_of(status: &Status) -> String {
    if status.message().is_empty() {
        format!("the gateway answered {} without saying why", crate::grpc_code::name(status.code()))
    } else {
        status.message().to_owned()
    }
}

/// The innermost cause of an error: "connection refused" instead of "transport error".
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::status;

    use super::*;

    #[test]
    fn the_services_code_is_kept() {
        let status = status(ErrorCode::ModelNotFound, "models/x does not exist");
        let error = CommandError::Refused { status: Box::new(status) };
        assert_eq!(error.published_code(), "MODEL_NOT_FOUND");
        assert_eq!(error.grpc_code(), Code::NotFound);
        assert_eq!(error.to_string(), "models/x does not exist");
        assert_eq!(error.exit_status(), FAILED);
        assert!(error.hint().unwrap().contains("model list"));
    }

    #[test]
    fn a_foreign_status_gets_the_nearest_code() {
        let error = CommandError::Refused { status: Box::new(Status::new(Code::Unimplemented, "")) };
        assert_eq!(error.published_code(), "NOT_BUILT");
        assert_eq!(error.grpc_code(), Code::Unimplemented);
        assert_eq!(error.to_string(), "the gateway answered UNIMPLEMENTED without saying why");
    }

    #[test]
    fn a_missing_file_is_usage() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let error = CommandError::LocalFile { path: "a.h5".into(), source };
        assert_eq!(error.exit_status(), USAGE);
        assert_eq!(error.published_code(), "INVALID_FIELD");
    }
}
