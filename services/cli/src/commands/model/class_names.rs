//! The file of `--classes`: one name a line, or a JSON list of names.

use std::fs;
use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::error::CommandError;

/// Why a file of class names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassNamesError {
    /// It is neither text nor a JSON list of names.
    #[error("{} holds no class names: {reason}; write one name a line, or a JSON list of names", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A line between names is empty, so the names after it would belong to other classes.
    #[error("{}: line {line} is empty, but names follow it: give every class a name", .path.display())]
    EmptyLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

impl Coded for ClassNamesError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Form { .. } | Self::EmptyLine { .. } => ErrorCode::InvalidField,
        }
    }

    fn field(&self) -> Option<String> {
        Some("class_names".to_owned())
    }
}

/// Reads the names, in the order of the classes.
pub(super) fn read(path: &Path) -> Result<Vec<String>, CommandError> {
    let bytes = fs::read(path).map_err(|source| CommandError::LocalFile { path: path.to_owned(), source })?;
    parse(path, &bytes).map_err(CommandError::ClassNames)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<String>, ClassNamesError> {
    let form = |reason: String| ClassNamesError::Form { path: path.to_owned(), reason };
    let text = str::from_utf8(bytes).map_err(|error| form(error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    let names: Vec<String> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| form(error.to_string()))?
    } else {
        text.trim_end().lines().map(|line| line.trim().to_owned()).collect()
    };
    if names.is_empty() {
        return Err(form("it is empty".to_owned()));
    }
    match names.iter().position(String::is_empty) {
        Some(index) => Err(ClassNamesError::EmptyLine { path: path.to_owned(), line: index + 1 }),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let path = Path::new("names");
        assert_eq!(parse(path, b"ada\nbob \r\n\n").unwrap(), ["ada", "bob"]);
        assert_eq!(parse(path, br#" ["ada", "bob"]"#).unwrap(), ["ada", "bob"]);
    }

    #[test]
    fn gaps_and_other_files_are_refused() {
        let path = Path::new("names");
        let error = parse(path, b"ada\n\nbob").unwrap_err();
        assert!(matches!(error, ClassNamesError::EmptyLine { line: 2, .. }), "{error}");
        for bytes in [b"".as_slice(), b"\n\n", b"[1]", b"[]", b"\xff\xfe"] {
            assert!(parse(path, bytes).is_err(), "{bytes:?} must be refused");
        }
    }
}
