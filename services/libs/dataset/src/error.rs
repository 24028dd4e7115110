//! What can be wrong with a data set.

use std::io;
use std::path::Path;

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::picture::PictureError;
use crate::prepare::PrepareError;

/// Why a data set is not taken, or cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file is damaged, truncated or of another kind.
    #[error("the data set is damaged or of another kind: {fault}")]
    Damaged {
        /// Where and how.
        fault: String,
    },
    /// The parts of the data set contradict each other, or their shapes are not those of images and labels.
    #[error("the data set does not fit together: {fault}")]
    Inconsistent {
        /// What contradicts what, with the figures.
        fault: String,
    },
    /// The file can be read in more than one way.
    #[error("the data set can be read in more than one way: {question}")]
    Ambiguous {
        /// What the caller must say.
        question: String,
    },
    /// A storage form or data type that is not read.
    #[error("{what} is not supported: {hint}")]
    Unsupported {
        /// What, by name.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// A value is no pixel level.
    #[error("image {row} of the data set holds {value}, which is outside {range}")]
    Level {
        /// Which image, from 0.
        row: u64,
        /// The first such value.
        value: f64,
        /// The range levels must be in.
        range: &'static str,
    },
    /// A label or group is not a class number.
    #[error("{kind} {row} of the data set is {value}: {kind}s are whole numbers from 0 to {max}")]
    Label {
        /// `label` or `group`.
        kind: &'static str,
        /// Which row, from 0.
        row: usize,
        /// What stands there.
        value: String,
        /// The largest number.
        max: i64,
    },
    /// A picture of an image folder is not one.
    #[error("{path:?} in the image folder: {source}")]
    Picture {
        /// Which file.
        path: String,
        /// Why.
        source: PictureError,
    },
    /// A picture of an image folder does not fit the others.
    #[error("{path:?} in the image folder: {source}")]
    Misfit {
        /// Which file.
        path: String,
        /// Why.
        source: PrepareError,
    },
    /// A file of an image folder has no place in it.
    #[error("{path:?} in the image folder {fault}")]
    Entry {
        /// Which file.
        path: String,
        /// Why.
        fault: String,
    },
    /// An option contradicts the kind of file.
    #[error("the option {option} {fault}")]
    Option {
        /// Which option.
        option: &'static str,
        /// What is wrong with it.
        fault: String,
    },
    /// Larger than the limits allow.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What was counted, with its unit.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// Rows beyond the end were asked for.
    #[error("rows {start}..{end} were asked for, the data set has {count}")]
    Rows {
        /// The first row.
        start: u64,
        /// The row after the last.
        end: u64,
        /// How many there are.
        count: u64,
    },
    /// A stored data set is not what was stored.
    #[error("the stored data set is damaged: {fault}")]
    Stored {
        /// Where and how.
        fault: String,
    },
    /// The file system failed.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// `read`, `write`, ...
        action: &'static str,
        /// Which file.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

impl DatasetError {
    /// Turns a failure of the file system into an error that names the file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { action, path: path.clone(), source }
    }
}

impl Coded for DatasetError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged { .. }
            | Self::Inconsistent { .. }
            | Self::Ambiguous { .. }
            | Self::Unsupported { .. }
            | Self::Level { .. }
            | Self::Label { .. }
            | Self::Entry { .. } => ErrorCode::DatasetInvalid,
            Self::Picture { source, .. } => source.code(),
            Self::Misfit { source, .. } => source.code(),
            Self::Option { .. } | Self::Rows { .. } => ErrorCode::InvalidField,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Stored { .. } => ErrorCode::RecordInvalid,
            Self::File { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<String> {
        if let Self::Option { option, .. } = self { Some(format!("options.{option}")) } else { None }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Picture { path, source } => with_path(path, source.facts()),
            Self::Misfit { path, source } => with_path(path, source.facts()),
            Self::Entry { path, .. } => with_path(path, Vec::new()),
            Self::TooLarge { found, limit, .. } => {
                vec![("found", found.to_string()), ("limit", limit.to_string())]
            }
            Self::Level { row, .. } => vec![("row", row.to_string())],
            Self::Label { row, .. } => vec![("row", row.to_string())],
            Self::Damaged { .. }
            | Self::Inconsistent { .. }
            | Self::Ambiguous { .. }
            | Self::Unsupported { .. }
            | Self::Option { .. }
            | Self::Rows { .. }
            | Self::Stored { .. }
            | Self::File { .. } => Vec::new(),
        }
    }
}

fn with_path(path: &str, mut facts: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    facts.push(("path", path.to_owned()));
    facts
}
