//! Why there is no report.

use std::io;
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// Why a report cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Nothing was measured.
    #[error("a report needs at least one evaluation and there is none: evaluate a model first")]
    Empty,
    /// An evaluation holds NaN or an infinity where a number must stand.
    #[error("{place} of the evaluation of {network} is {value}: scores and rates must be finite numbers")]
    NotFinite {
        /// The model version that was evaluated.
        network: String,
        /// Which number.
        place: String,
        /// What stands there.
        value: f64,
    },
    /// Parts of an evaluation contradict each other.
    #[error("the evaluation of {network} does not fit together: {fault}")]
    Inconsistent {
        /// The model version that was evaluated.
        network: String,
        /// What contradicts what.
        fault: String,
    },
    /// The record of a repair holds NaN or an infinity where a number must stand.
    #[error("{place} of the repair {job} is {value}: numbers of a report must be finite")]
    RepairNotFinite {
        /// The job that repaired.
        job: String,
        /// Which number.
        place: String,
        /// What stands there.
        value: f64,
    },
    /// Parts of the record of a repair contradict each other.
    #[error("the record of the repair {job} does not fit together: {fault}")]
    RepairInconsistent {
        /// The job that repaired.
        job: String,
        /// What contradicts what.
        fault: String,
    },
    /// A picture of an illustration cannot be shown.
    #[error("a picture of the report cannot be shown: {fault}")]
    Picture {
        /// What is wrong with it.
        fault: String,
    },
    /// A figure could not be drawn.
    #[error("the figure {figure} could not be drawn: {fault}")]
    Drawing {
        /// The file name of the figure, without its ending.
        figure: String,
        /// What the drawing library says.
        fault: String,
    },
    /// A file of the report could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no `report.json`.
    #[error("{path} is no report.json of gifthorse: {source}")]
    Record {
        /// Which file.
        path: PathBuf,
        /// Where and how.
        source: serde_json::Error,
    },
    /// A `report.json` of another form.
    #[error("{path} has schemaVersion {found} and this release reads {known}: make the report again")]
    SchemaVersion {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u64,
        /// What is read.
        known: u64,
    },
    /// A file is too large to be read as a report.
    #[error("{path} has {bytes} bytes: a report.json has {limit} at most")]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large it is.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

impl ReportError {
    /// For failures of the system on a file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

impl Coded for ReportError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::InvalidField,
            Self::NotFinite { .. } | Self::RepairNotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::Inconsistent { .. }
            | Self::RepairInconsistent { .. }
            | Self::Record { .. }
            | Self::SchemaVersion { .. } => ErrorCode::RecordInvalid,
            Self::Picture { .. } => ErrorCode::ImageInvalid,
            Self::Drawing { .. } | Self::File { .. } => ErrorCode::Internal,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
        }
    }
}
