//! What can be wrong with a configuration.

use std::path::PathBuf;

/// A configuration that cannot be used. It is met before the service listens, so it has no code in the
/// catalogue: it is printed for a person and the process exits with 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A `--set` without the form `section.key=value`.
    #[error("--set takes section.key=value, found {found:?}")]
    Assignment {
        /// What was given.
        found: String,
    },
    /// A key that no section has.
    #[error("unknown key {key:?} in {origin}{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// The key in the form `section.key`.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A value of the wrong type, or one that makes no sense.
    #[error("{key} in {origin}: {message}")]
    Value {
        /// The key in the form `section.key`.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The configuration cannot be written as TOML.
    #[error("cannot print the configuration as TOML: {message}")]
    Dump {
        /// Why not.
        message: String,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; --dump-config prints the known keys".to_owned(),
        |key| format!("; did you mean {key:?}?"),
    )
}
