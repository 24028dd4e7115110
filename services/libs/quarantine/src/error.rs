//! Why a quarantined read gave no answer.

use std::path::PathBuf;
use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::fault::RemoteFault;

/// Why a quarantined read gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The reader understood what is wrong with the file and said so.
    #[error(transparent)]
    Fault(#[from] RemoteFault),
    /// The reader died of a signal nobody sent on purpose.
    #[error("the reader crashed on this file (signal {signal}): the file is damaged, make it again")]
    Crashed {
        /// The signal's number: 11 is a wild memory access, 6 an abort.
        signal: i32,
    },
    /// The reader asked for more memory than it may have.
    #[error(
        "reading this file needs more than the {limit_bytes} bytes of memory a reader may have: \
         the file is damaged, or too large for this service"
    )]
    OutOfMemory {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The reader used up its processor time.
    #[error(
        "reading this file took more than {limit_seconds} s of processor time: \
         the file is damaged, or too large for this service"
    )]
    CpuTime {
        /// The limit, in seconds.
        limit_seconds: u64,
    },
    /// The reader did not finish in time and was killed.
    #[error(
        "reading this file took longer than {} ms: the file is damaged, or too large for this service",
        limit.as_millis()
    )]
    WallTime {
        /// The limit.
        limit: Duration,
    },
    /// The reader tried to write a file longer than it may.
    #[error(
        "reading this file writes more than the {limit_bytes} bytes one output file may have: \
         the file is damaged, or too large for this service"
    )]
    FileTooLong {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// The reader's answer was longer than it may be; the reader was killed.
    #[error("the reader's answer about this file is longer than {limit_bytes} bytes: the file is damaged")]
    AnswerTooLong {
        /// The limit, in bytes.
        limit_bytes: u64,
    },
    /// A library ended the process behind our back.
    #[error("the reader stopped on this file with status {status} and gave no answer")]
    Stopped {
        /// The exit status.
        status: i32,
    },
    /// The answer is not what the caller asked to read: the two sides disagree about the task.
    #[error("the answer of the reader task {task:?} cannot be understood: {source}")]
    AnswerUnreadable {
        /// The task.
        task: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// The request has no JSON form.
    #[error("the request of the reader task {task:?} cannot be written as JSON: {source}")]
    RequestUnwritable {
        /// The task.
        task: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// The reader process could not be started or waited for.
    #[error("cannot {action} the reader process {executable:?}: {source}")]
    Process {
        /// `start`, `talk to`, `wait for`.
        action: &'static str,
        /// The program file.
        executable: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The private folder could not be made.
    #[error("cannot make a private folder for the reader: {0}")]
    Folder(#[source] std::io::Error),
    /// As many reads run and wait as may.
    #[error("{waiting} reads of foreign files are waiting already: try again later")]
    QueueFull {
        /// How many may wait.
        waiting: usize,
    },
}

impl Coded for QuarantineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Fault(fault) => fault.code(),
            Self::Crashed { .. }
            | Self::OutOfMemory { .. }
            | Self::CpuTime { .. }
            | Self::WallTime { .. }
            | Self::FileTooLong { .. }
            | Self::AnswerTooLong { .. }
            | Self::Stopped { .. } => ErrorCode::ForeignFileKilled,
            Self::AnswerUnreadable { .. }
            | Self::RequestUnwritable { .. }
            | Self::Process { .. }
            | Self::Folder(_) => ErrorCode::Internal,
            Self::QueueFull { .. } => ErrorCode::QueueFull,
        }
    }

    fn field(&self) -> Option<String> {
        if let Self::Fault(fault) = self { fault.field() } else { None }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Fault(fault) => fault.facts(),
            Self::Crashed { signal } => vec![("signal", signal.to_string())],
            Self::OutOfMemory { limit_bytes } => vec![("memoryLimitBytes", limit_bytes.to_string())],
            Self::CpuTime { limit_seconds } => vec![("cpuLimitSeconds", limit_seconds.to_string())],
            Self::WallTime { limit } => vec![("wallLimitMs", limit.as_millis().to_string())],
            Self::FileTooLong { limit_bytes } => vec![("fileLimitBytes", limit_bytes.to_string())],
            Self::AnswerTooLong { limit_bytes } => vec![("answerLimitBytes", limit_bytes.to_string())],
            Self::Stopped { status } => vec![("exitStatus", status.to_string())],
            Self::AnswerUnreadable { .. }
            | Self::RequestUnwritable { .. }
            | Self::Process { .. }
            | Self::Folder(_)
            | Self::QueueFull { .. } => Vec::new(),
        }
    }
}
