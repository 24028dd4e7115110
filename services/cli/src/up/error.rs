//! Why the house does not stand.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use gifthorse_api::catalogue::{Coded, ErrorCode};

use super::service::Service;

/// Why `up` does not start, or stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// There is no folder for the data.
    #[error("neither XDG_DATA_HOME nor HOME names a folder for the data: give one by --data")]
    NoDataFolder,
    /// The data folder cannot be used.
    #[error("the data folder {} cannot be used: {source}", .path.display())]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another house lives in the data folder.
    #[error(
        "the data folder {} is in use by another `gifthorse up`{}: stop that one, or give another folder by --data",
        .path.display(),
        .process.as_ref().map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    DataInUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it is known.
        process: Option<u32>,
    },
    /// A service's program is not where it should be.
    #[error(
        "{program} is not in {}: build the whole workspace, or name its folder by GIFTHORSE_BIN_DIR",
        .folder.display()
    )]
    ProgramMissing {
        /// The program.
        program: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// This program does not know where it is.
    #[error("cannot tell where this program is: {0}; name the services' folder by GIFTHORSE_BIN_DIR")]
    OwnProgram(io::Error),
    /// Signals cannot be watched.
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
    /// A service cannot be started.
    #[error("cannot start {service}: {source}")]
    Start {
        /// The service.
        service: Service,
        /// What the system says.
        source: io::Error,
    },
    /// A service ended by itself.
    #[error("{service} ended by itself ({status}); the house was stopped{}", words(.last_words))]
    Ended {
        /// The service.
        service: Service,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its log.
        last_words: Vec<String>,
    },
    /// A service's first line is not the one that says where it listens.
    #[error("{service} announced itself by {line:?} instead of saying where it listens")]
    Announcement {
        /// The service.
        service: Service,
        /// The line.
        line: String,
    },
    /// The services are not ready in time.
    #[error(
        "the services are not ready after {seconds} s: a longer --timeout may help{}",
        words(.last_words)
    )]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// The last lines of their logs.
        last_words: Vec<String>,
    },
    /// The process that asked for an attached program has gone.
    #[error("the process that started this one has gone")]
    ParentGone,
    /// A program cannot be attached to its parent.
    #[error("cannot run {program:?}: {source}")]
    Attach {
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
    },
}

fn words(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("; its last words:\n    {}", lines.join("\n    ")) }
}

impl UpError {
    /// Whether another command line would help.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::NoDataFolder)
    }
}

impl Coded for UpError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoDataFolder => ErrorCode::InvalidField,
            Self::DataFolder { .. } => ErrorCode::StoreUnavailable,
            Self::DataInUse { .. } => ErrorCode::InUse,
            Self::ProgramMissing { .. }
            | Self::Start { .. }
            | Self::Ended { .. }
            | Self::Announcement { .. }
            | Self::NotReady { .. } => ErrorCode::ServiceUnavailable,
            Self::OwnProgram(_) | Self::Signals(_) | Self::ParentGone | Self::Attach { .. } => {
                ErrorCode::Internal
            }
        }
    }
}
