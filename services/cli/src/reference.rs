//! How people name models, data sets, calibrations and jobs: `lab3`, `lab3@2`, or the resource names of the API.

use std::fmt;
use std::str::FromStr;

use gifthorse_api::name::{DatasetName, Identifier, ModelName, NameError, PruningJobName, Version};

/// A model or one of its versions: `NAME`, `NAME@VERSION`, `models/NAME` or `models/NAME/versions/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReference(ModelName);

impl ModelReference {
    /// The resource name, with the version where one was given.
    pub fn resource(&self) -> String {
        self.0.to_string()
    }

    /// `models/NAME`, whatever version was named.
    pub fn model(&self) -> String {
        format!("models/{}", self.0.model)
    }

    /// The resource name of its policy: with the version, where one was given.
    pub fn policy(&self) -> String {
        format!("policies{}", self.resource().trim_start_matches("models"))
    }

    /// Whether a version was named.
    pub const fn has_version(&self) -> bool {
        self.0.version.is_some()
    }
}

impl FromStr for ModelReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with("models/") {
            return text.parse().map(Self);
        }
        let (model, version) = match text.split_once('@') {
            Some((model, version)) => (model, Some(version.parse::<Version>()?)),
            None => (text, None),
        };
        Ok(Self(ModelName { model: model.parse()?, version }))
    }
}

/// A model as a whole: `NAME` or `models/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeModel(Identifier);

impl WholeModel {
    /// `models/NAME`.
    pub fn resource(&self) -> String {
        format!("models/{}", self.0)
    }

    /// `policies/NAME`.
    pub fn policy(&self) -> String {
        format!("policies/{}", self.0)
    }
}

impl FromStr for WholeModel {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let reference: ModelReference = text.parse()?;
        if reference.has_version() {
            return Err(ReferenceError::VersionGiven { found: text.to_owned() });
        }
        Ok(Self(reference.0.model))
    }
}

/// One version of a model: `NAME@VERSION` or `models/NAME/versions/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneVersion(ModelReference);

impl OneVersion {
    /// `models/NAME/versions/VERSION`.
    pub fn resource(&self) -> String {
        self.0.resource()
    }
}

impl FromStr for OneVersion {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let reference: ModelReference = text.parse()?;
        if reference.has_version() {
            Ok(Self(reference))
        } else {
            Err(ReferenceError::VersionMissing { found: text.to_owned() })
        }
    }
}

/// A data set: `NAME` or `datasets/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetReference(DatasetName);

impl DatasetReference {
    /// `datasets/NAME`.
    pub fn resource(&self) -> String {
        self.0.to_string()
    }
}

impl FromStr for DatasetReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = if text.starts_with("datasets/") { text.parse() } else { text.parse().map(DatasetName) };
        name.map(Self)
    }
}

/// A calibration: `ID` or `calibrations/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalibrationReference(Identifier);

impl CalibrationReference {
    /// `calibrations/ID`.
    pub fn resource(&self) -> String {
        format!("calibrations/{}", self.0)
    }
}

impl FromStr for CalibrationReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix("calibrations/").unwrap_or(text).parse().map(Self)
    }
}

/// A pruning job: `ID` or `pruningJobs/ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobReference(PruningJobName);

impl JobReference {
    /// `pruningJobs/ID`.
    pub fn resource(&self) -> String {
        self.0.to_string()
    }
}

impl FromStr for JobReference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix("pruningJobs/").unwrap_or(text).parse().map(|id| Self(PruningJobName(id)))
    }
}

/// A good name in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The name itself is bad.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A version is needed here.
    #[error("{found:?} names no version: write NAME@VERSION (`gifthorse model list NAME` lists them)")]
    VersionMissing {
        /// What was given.
        found: String,
    },
    /// No version can be given here.
    #[error("{found:?} names a version, but this is about the whole model: write NAME alone")]
    VersionGiven {
        /// What was given.
        found: String,
    },
}

/// The short form of a resource name: `NAME` or `NAME@VERSION`; other text is left as it is.
pub fn short(resource: &str) -> impl fmt::Display {
    let collections = ["models/", "datasets/", "calibrations/", "policies/", "pruningJobs/"];
    let name = collections.into_iter().find_map(|collection| resource.strip_prefix(collection));
    name.unwrap_or(resource).replacen("/versions/", "@", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_model() {
        let cases = [
            ("lab3", "models/lab3"),
            ("models/lab3", "models/lab3"),
            ("lab3@7", "models/lab3/versions/7"),
            ("models/lab3/versions/7", "models/lab3/versions/7"),
        ];
        for (text, resource) in cases {
            assert_eq!(text.parse::<ModelReference>().unwrap().resource(), resource);
        }
        for text in
            ["", "@1", "lab3@", "lab3@0", "lab3@01", "lab3@latest", "lab3@1@2", "../../x", "models/a@1"]
        {
            assert!(text.parse::<ModelReference>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn commands_say_whether_they_take_a_version() {
        assert_eq!("a".parse::<WholeModel>().unwrap().resource(), "models/a");
        assert!(matches!("a@1".parse::<WholeModel>(), Err(ReferenceError::VersionGiven { .. })));
        assert_eq!("a@1".parse::<OneVersion>().unwrap().resource(), "models/a/versions/1");
        assert!(matches!("a".parse::<OneVersion>(), Err(ReferenceError::VersionMissing { .. })));
        assert!(matches!("A".parse::<OneVersion>(), Err(ReferenceError::Name(_))));
    }

    #[test]
    fn data_sets_have_two_spellings() {
        for text in ["faces", "datasets/faces"] {
            assert_eq!(text.parse::<DatasetReference>().unwrap().resource(), "datasets/faces");
        }
        assert!("models/faces".parse::<DatasetReference>().is_err());
    }

    #[test]
    fn calibrations_and_policies_are_named_like_models() {
        for text in ["c-1", "calibrations/c-1"] {
            assert_eq!(text.parse::<CalibrationReference>().unwrap().resource(), "calibrations/c-1");
        }
        assert!("calibrations/a/b".parse::<CalibrationReference>().is_err());
        let policy = |text: &str| text.parse::<ModelReference>().unwrap().policy();
        assert_eq!(
            (policy("a"), policy("models/a/versions/2")),
            ("policies/a".into(), "policies/a/versions/2".into())
        );
    }

    #[test]
    fn jobs_have_two_spellings() {
        for text in ["job-1", "pruningJobs/job-1"] {
            assert_eq!(text.parse::<JobReference>().unwrap().resource(), "pruningJobs/job-1");
        }
        assert!("pruningJobs/a/b".parse::<JobReference>().is_err());
    }

    #[test]
    fn names_are_shortened_for_people() {
        assert_eq!(short("policies/lab3/versions/7").to_string(), "lab3@7");
        assert_eq!(short("calibrations/c-1").to_string(), "c-1");
        assert_eq!(short("models/lab3/versions/7").to_string(), "lab3@7");
        assert_eq!(short("models/lab3").to_string(), "lab3");
        assert_eq!(short("datasets/faces").to_string(), "faces");
        assert_eq!(short("").to_string(), "");
    }
}
