//! Resource names and identifiers, parsed at the edge.
//!
//! Collections and forms follow the public API improvement proposals: `models/NAME`,
//! `models/NAME/versions/VERSION`, `datasets/NAME`, `pruningJobs/ID` and so on. An identifier is
//! `[a-z0-9][a-z0-9_-]*`, at most [`MAX_IDENTIFIER`] characters, so that no name can leave a folder.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Coded, ErrorCode};

/// The longest identifier, in characters.
pub const MAX_IDENTIFIER: usize = 63;

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The identifier has forbidden characters, is empty or too long.
    #[error(
        "{value:?} is not a valid identifier: use 1 to 63 characters of a-z, 0-9, '_' and '-', \
         the first a letter or digit"
    )]
    Identifier {
        /// What was given, shortened.
        value: String,
    },
    /// The version is not a positive decimal number.
    #[error("{value:?} is not a version: versions are the numbers 1, 2, 3, ...")]
    Version {
        /// What was given, shortened.
        value: String,
    },
    /// The resource name does not have the form of its collection.
    #[error("{value:?} is not a resource name of the form {form}")]
    Form {
        /// What was given, shortened.
        value: String,
        /// The form that was expected.
        form: &'static str,
    },
}

impl Coded for NameError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidName
    }
}

fn shortened(value: &str) -> String {
    value.chars().take(80).collect()
}

/// A model, data set, policy or other identifier that is safe as one path segment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

impl Identifier {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Identifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = bytes.len() <= MAX_IDENTIFIER
            && bytes.first().is_some_and(|byte| good(*byte))
            && bytes.iter().all(|byte| good(*byte) || *byte == b'_' || *byte == b'-');
        if valid { Ok(Self(text.to_owned())) } else { Err(NameError::Identifier { value: shortened(text) }) }
    }
}

impl TryFrom<String> for Identifier {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A version of a model: 1, 2, 3, ... without gaps promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Version(u64);

impl Version {
    /// The first version.
    pub const FIRST: Self = Self(1);

    /// The version with this number; zero is none.
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if canonical { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or_else(|| NameError::Version { value: shortened(text) })
    }
}

impl TryFrom<u64> for Version {
    type Error = NameError;

    fn try_from(number: u64) -> Result<Self, NameError> {
        Self::new(number).ok_or_else(|| NameError::Version { value: number.to_string() })
    }
}

impl From<Version> for u64 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// `models/NAME` or `models/NAME/versions/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelName {
    /// The model.
    pub model: Identifier,
    /// The version; none means the promoted one.
    pub version: Option<Version>,
}

impl FromStr for ModelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const FORM: &str = "models/NAME or models/NAME/versions/VERSION";
        let wrong = || NameError::Form { value: shortened(text), form: FORM };
        let rest = text.strip_prefix("models/").ok_or_else(wrong)?;
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            [model] => Ok(Self { model: model.parse()?, version: None }),
            [model, "versions", version] => {
                Ok(Self { model: model.parse()?, version: Some(version.parse()?) })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "models/{}", self.model)?;
        self.version.map_or(Ok(()), |version| write!(formatter, "/versions/{version}"))
    }
}

/// `datasets/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatasetName(pub Identifier);

impl FromStr for DatasetName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rest = text
            .strip_prefix("datasets/")
            .ok_or_else(|| NameError::Form { value: shortened(text), form: "datasets/NAME" })?;
        rest.parse().map(Self)
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "datasets/{}", self.0)
    }
}

/// `pruningJobs/ID`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PruningJobName(pub Identifier);

impl FromStr for PruningJobName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rest = text
            .strip_prefix("pruningJobs/")
            .ok_or_else(|| NameError::Form { value: shortened(text), form: "pruningJobs/ID" })?;
        rest.parse().map(Self)
    }
}

impl fmt::Display for PruningJobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pruningJobs/{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_stay_in_their_folder() {
        for good in ["a", "0", "lab3", "multi_trigger-2"] {
            assert_eq!(good.parse::<Identifier>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "../../x", "a/b", "A", "-a", "_a", "a\0", "ä", &"a".repeat(64)] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn versions_have_one_spelling() {
        assert_eq!("12".parse::<Version>().unwrap().number(), 12);
        for bad in ["", "0", "01", "-1", "+1", "1.0", "99999999999999999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn model_names_round_trip() {
        for text in ["models/lab3", "models/lab3/versions/7"] {
            assert_eq!(text.parse::<ModelName>().unwrap().to_string(), text);
        }
        for bad in ["lab3", "models/", "models/a/b", "models/a/versions/0", "models/../x"] {
            assert!(bad.parse::<ModelName>().is_err(), "{bad:?} must be refused");
        }
    }
}
