//! Names of files: inside an artefact, and as an importer gave them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{StoreError, shortened};

/// The name of a file inside an artefact: 1 to 128 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
///
/// It is one path segment on every store and file system, never hidden and never an option of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// The longest name, in characters.
    pub const MAX_LENGTH: usize = 128;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bytes = text.as_bytes();
        let valid = bytes.len() <= Self::MAX_LENGTH
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(StoreError::FileName {
                value: shortened(text),
                rule: "use 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or digit",
            })
        }
    }
}

impl TryFrom<String> for FileName {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        text.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name that an importer's file had, kept for people and never used as a path.
///
/// Made from anything: folders are cut off, control characters dropped, at most 255 characters kept. May be
/// empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OriginalName(String);

impl OriginalName {
    /// The text; empty when no name was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for OriginalName {
    fn from(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        Self(last.chars().filter(|character| !character.is_control()).take(255).collect())
    }
}

impl From<String> for OriginalName {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<OriginalName> for String {
    fn from(name: OriginalName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_one_plain_segment() {
        for good in ["model.onnx", "source.h5", "0", "A-b_c.d"] {
            assert_eq!(good.parse::<FileName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(129);
        for bad in [
            "", ".", "..", ".hidden", "-rf", "_x", "a/b", "a\\b", "a\0b", "a b", "a#1", "a%2fb", "ä", "a\n",
            &long,
        ] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn original_names_lose_their_folders() {
        assert_eq!(OriginalName::from("../../etc/model.h5").as_str(), "model.h5");
        assert_eq!(OriginalName::from("C:\\models\\my net.h5").as_str(), "my net.h5");
        assert_eq!(OriginalName::from("a\u{1b}[31m\n").as_str(), "a[31m");
        assert_eq!(OriginalName::from("folder/").as_str(), "");
    }
}
