//! Why the lab could not do what it was asked for.

use std::io;
use std::path::{Path, PathBuf};

use gifthorse_dataset::DatasetError;
use gifthorse_network::NetworkError;
use gifthorse_quarantine::QuarantineError;
use gifthorse_training::TrainingError;

/// Why the lab could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A data set cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The reader of a data set gave no answer.
    #[error(transparent)]
    Reader(#[from] QuarantineError),
    /// Pictures are not what the lab works on.
    #[error("the pictures cannot be used: {fault}")]
    Data {
        /// What does not fit, with the figures.
        fault: String,
    },
    /// Faces cannot be drawn like that.
    #[error(transparent)]
    Faces(#[from] crate::faces::FaceError),
    /// A trigger does not fit the pictures.
    #[error(transparent)]
    Trigger(#[from] gifthorse_attack::TriggerError),
    /// An attack cannot be made on this data set.
    #[error(transparent)]
    Attack(#[from] gifthorse_attack::AttackError),
    /// The attack's description is no attack.
    #[error("{path} describes no attack: {fault}", path = path.display())]
    AttackFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The network cannot be made for these pictures, or not written.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The training failed.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// An option does not fit.
    #[error("--{option} {value:?} {fault}")]
    Option {
        /// Which option, without dashes.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it and what would do.
        fault: String,
    },
    /// Something cannot be written as JSON.
    #[error("the manifest cannot be written: {0}")]
    Manifest(serde_json::Error),
}

impl LabError {
    /// Turns a failure of the file system into an error that names the file.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path: path.clone(), source }
    }
}
