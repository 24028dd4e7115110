//! The outcome of a commit.

/// A committed artefact: the one just made, or the one that an equal request made before.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed<R> {
    /// Made by this commit.
    New(R),
    /// Made earlier from the same content; nothing was added.
    Earlier(R),
}

impl<R> Committed<R> {
    /// The record, whoever made it.
    pub fn into_record(self) -> R {
        match self {
            Self::New(record) | Self::Earlier(record) => record,
        }
    }

    /// Whether this commit made it.
    pub fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }
}
