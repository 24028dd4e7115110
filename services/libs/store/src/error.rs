//! What can go wrong with stored artefacts.

use std::io;
use std::path::PathBuf;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::{Identifier, Version};

use crate::digest::Sha256Digest;
use crate::promotion::Etag;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A field of the request has a value outside its contract.
    #[error("{value:?} is not a valid {field}: {rule}")]
    Field {
        /// The field, as the contract names it.
        field: &'static str,
        /// What was given, shortened.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// A record that was handed in contradicts itself.
    #[error("the record cannot be stored: {reason}")]
    RecordRefused {
        /// Which rule it breaks.
        reason: String,
    },
    /// A record that was handed in is larger than a record that can be read again.
    #[error("the record would take {size} bytes, of at most {limit}: shorten {part}")]
    RecordTooLarge {
        /// Bytes it would take.
        size: u64,
        /// Bytes it may take.
        limit: u64,
        /// The field that takes most of them.
        part: String,
    },
    /// The name of a file inside an artefact has a forbidden form, is reserved or is used twice.
    #[error("{value:?} cannot name a file of an artefact: {rule}")]
    FileName {
        /// What was given, shortened.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
    /// The address of the store is of a kind that this build does not open.
    #[error("{url:?} is not a store this build can open: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The page token was made for another listing, or by nobody.
    #[error("the page token does not belong to the listing of {listing}: start again without one")]
    PageToken {
        /// The collection that was listed.
        listing: String,
    },
    /// No version of this model is kept.
    #[error("there is no model {model}")]
    ModelNotFound {
        /// The model.
        model: Identifier,
    },
    /// The version was never committed, or is deleted.
    #[error("model {model} has no version {version}")]
    ModelVersionNotFound {
        /// The model.
        model: Identifier,
        /// The version.
        version: Version,
    },
    /// No such artefact of another collection.
    #[error("there is no {collection}/{name}")]
    ArtefactNotFound {
        /// The collection.
        collection: &'static str,
        /// The artefact.
        name: Identifier,
        /// The collection's own code for this.
        code: ErrorCode,
    },
    /// The artefact's record names no such file.
    #[error("{artefact} has no file {file}")]
    FileNotFound {
        /// The artefact.
        artefact: String,
        /// The file.
        file: String,
    },
    /// The name is taken by other content.
    #[error(
        "{collection}/{name} exists already with digest {existing}, the new content has {offered}: \
         choose another name or delete it first"
    )]
    AlreadyExists {
        /// The collection.
        collection: &'static str,
        /// The artefact.
        name: Identifier,
        /// Digest of what is stored.
        existing: Sha256Digest,
        /// Digest of what was offered.
        offered: Sha256Digest,
    },
    /// The request id was used before, with other content.
    #[error("request id {request_id:?} was used before with other content: use a new id")]
    RequestIdReused {
        /// The id.
        request_id: String,
    },
    /// The repair gate has not let the version through.
    #[error(
        "version {version} of model {model} does not answer for it: the repair gate says NOT_REPAIRED ({reason})"
    )]
    NotRepaired {
        /// The model.
        model: Identifier,
        /// The version.
        version: Version,
        /// What the gate found.
        reason: String,
    },
    /// The suspect of a pair takes other pictures, or has other classes, than the version that would answer.
    #[error(
        "version {version} of model {model} cannot answer beside the suspect {suspect}: it takes other pictures or has \
         other classes; promote it without keeping the suspect"
    )]
    UnlikePair {
        /// The model.
        model: Identifier,
        /// The version that would answer.
        version: Version,
        /// The suspect.
        suspect: Version,
    },
    /// Someone else promoted a version in between.
    #[error("the etag of model {model} is {found}, not {expected}: read the model again, then decide again")]
    EtagMismatch {
        /// The model.
        model: Identifier,
        /// What the caller had seen.
        expected: Etag,
        /// What it is now.
        found: Etag,
    },
    /// The version answers for the model, or is its suspect.
    #[error("version {version} of model {model} is {role}: promote another version first")]
    InUse {
        /// The model.
        model: Identifier,
        /// The version.
        version: Version,
        /// What it is used for.
        role: &'static str,
    },
    /// An import took so long that its claim could be swept away any moment.
    #[error("storing {artefact} took more than {minutes} min, so its files may be gone: start again")]
    TooSlow {
        /// The artefact.
        artefact: String,
        /// The limit.
        minutes: i64,
    },
    /// Stored bytes are not what was stored.
    #[error("{file} is damaged: {expected} was stored, {found} was found; restore it or delete the artefact")]
    DigestMismatch {
        /// Path of the file in the store.
        file: String,
        /// Size or SHA-256 as recorded.
        expected: String,
        /// Size or SHA-256 as read, or "nothing".
        found: String,
    },
    /// A stored record was changed, is damaged or comes from a newer release.
    #[error("{path} cannot be used: {reason}")]
    RecordInvalid {
        /// Path of the record in the store.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not answer, or refuses; most such faults pass.
    #[error("the artefact store failed to {operation} {path}: {source}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// With which object.
        path: String,
        /// The store's own words.
        #[source]
        source: Box<object_store::Error>,
    },
    /// A file on this machine, outside the store, cannot be read or written.
    #[error("cannot {operation} {}: {source}", path.display())]
    LocalFile {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
    /// A fault of ours.
    #[error("internal fault in the artefact store: {what}")]
    Internal {
        /// What happened.
        what: String,
    },
}

/// The outcome of an operation on the store.
pub type Result<T> = std::result::Result<T, StoreError>;

impl Coded for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Field { .. }
            | Self::RecordRefused { .. }
            | Self::Address { .. }
            | Self::UnlikePair { .. } => ErrorCode::InvalidField,
            Self::RecordTooLarge { .. } => ErrorCode::TooLarge,
            Self::FileName { .. } => ErrorCode::InvalidName,
            Self::PageToken { .. } => ErrorCode::InvalidPageToken,
            Self::ModelNotFound { .. } => ErrorCode::ModelNotFound,
            Self::ModelVersionNotFound { .. } => ErrorCode::ModelVersionNotFound,
            Self::ArtefactNotFound { code, .. } => *code,
            Self::FileNotFound { .. } => ErrorCode::ResourceNotFound,
            Self::AlreadyExists { .. } => ErrorCode::AlreadyExists,
            Self::RequestIdReused { .. } => ErrorCode::RequestIdReused,
            Self::EtagMismatch { .. } => ErrorCode::EtagMismatch,
            Self::NotRepaired { .. } => ErrorCode::NotRepaired,
            Self::InUse { .. } => ErrorCode::InUse,
            Self::TooSlow { .. } => ErrorCode::DeadlineExceeded,
            Self::DigestMismatch { .. } => ErrorCode::DigestMismatch,
            Self::RecordInvalid { .. } => ErrorCode::RecordInvalid,
            Self::Unavailable { .. } => ErrorCode::StoreUnavailable,
            Self::LocalFile { .. } | Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Field { field, .. } => Some((*field).to_owned()),
            Self::PageToken { .. } => Some("page_token".to_owned()),
            Self::EtagMismatch { .. } => Some("etag".to_owned()),
            Self::UnlikePair { .. } => Some("keep_suspect".to_owned()),
            Self::RequestIdReused { .. } => Some("request_id".to_owned()),
            _ => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::RecordTooLarge { size, limit, part } => {
                vec![("size", size.to_string()), ("limit", limit.to_string()), ("part", part.clone())]
            }
            Self::DigestMismatch { file, expected, found } => {
                vec![("file", file.clone()), ("expected", expected.clone()), ("found", found.clone())]
            }
            Self::EtagMismatch { expected, found, .. } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::AlreadyExists { existing, offered, .. } => {
                vec![("existing", existing.to_string()), ("offered", offered.to_string())]
            }
            _ => Vec::new(),
        }
    }
}

impl StoreError {
    /// Whether this one stored thing is damaged, while the store and what else it holds are well.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::RecordInvalid { .. } | Self::DigestMismatch { .. })
    }
}

/// At most 80 characters of what a stranger sent, for a message.
pub(crate) fn shortened(value: &str) -> String {
    value.chars().take(80).collect()
}
