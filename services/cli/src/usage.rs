//! Arguments that are well formed one by one, and do not go together or lead nowhere.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::NameError;

/// Why a command line cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A text names neither a local file nor a stored data set.
    #[error("{given:?} is neither a file here nor a stored data set: `gifthorse dataset list` shows those")]
    NoData {
        /// What was given.
        given: String,
    },
    /// Clean or triggered images come from something that can be read only once.
    #[error(
        "{given} can be read only once, so it has no name of its own: store it by `gifthorse dataset add`"
    )]
    Pipe {
        /// What was given.
        given: String,
    },
    /// A data set's name is bad.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A setting is of no detector that was asked for.
    #[error("{flag} says nothing about {detectors}: leave it out, or add --detector {example}")]
    Inapplicable {
        /// The flag.
        flag: &'static str,
        /// The detectors.
        detectors: String,
        /// A detector that it is for.
        example: &'static str,
    },
    /// The fixed threshold is one of STRIP's entropy.
    #[error("--legacy-threshold is a threshold of strip_entropy: add --detector strip_entropy")]
    LegacyDetector,
    /// Lists that belong together have different lengths.
    #[error("{found} values of {flag} for {expected} of {of}: give {expected}, or none")]
    Count {
        /// The flag with the wrong count.
        flag: &'static str,
        /// How many it has.
        found: usize,
        /// What it belongs to.
        of: &'static str,
        /// How many of them there are.
        expected: usize,
    },
    /// A calibration holds nothing that a policy can be made of without being told.
    #[error("{calibration} holds {held}: say by --detector which of them shall decide")]
    NoDefaultPolicy {
        /// The calibration.
        calibration: String,
        /// Its detectors.
        held: String,
    },
}

impl Coded for UsageError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoData { .. } => ErrorCode::DatasetNotFound,
            Self::Name(error) => error.code(),
            Self::Pipe { .. }
            | Self::Inapplicable { .. }
            | Self::LegacyDetector
            | Self::Count { .. }
            | Self::NoDefaultPolicy { .. } => ErrorCode::InvalidField,
        }
    }
}
