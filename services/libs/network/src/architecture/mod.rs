//! Network architectures known by name, for files that hold weights alone.
//!
//! Each template is a Keras model description in JSON, the same text that Keras itself writes for a model,
//! so a template and a file from elsewhere take one way through the reader.

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// A name that no template has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no architecture is called {name:?}: known are {known}; or give a Keras JSON file")]
pub struct UnknownArchitecture {
    /// What was asked for.
    pub name: String,
    /// The names there are, separated by commas.
    pub known: String,
}

impl Coded for UnknownArchitecture {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }

    fn field(&self) -> Option<String> {
        Some("architecture".to_owned())
    }
}

/// An architecture that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// The face network of the course: input `[N, 55, 47, 3]`, 1283 classes, 601,643 weights.
    DeepId,
}

impl Template {
    /// Every template.
    pub const ALL: &'static [Self] = &[Self::DeepId];

    /// The name it is asked for by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeepId => "deepid",
        }
    }

    /// The Keras model description, JSON.
    pub const fn keras_json(self) -> &'static str {
        match self {
            Self::DeepId => include_str!("deepid.json"),
        }
    }
}

impl std::str::FromStr for Template {
    type Err = UnknownArchitecture;

    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        Self::ALL.iter().copied().find(|template| template.name() == name).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|template| template.name()).collect();
            UnknownArchitecture { name: name.chars().take(80).collect(), known: known.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_found_by_its_name_and_is_json() {
        for template in Template::ALL {
            assert_eq!(template.name().parse::<Template>().as_ref(), Ok(template));
            let json: serde_json::Value = serde_json::from_str(template.keras_json()).unwrap();
            assert!(json["config"]["layers"].as_array().is_some_and(|layers| !layers.is_empty()));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "vgg".parse::<Template>().unwrap_err();
        assert_eq!(error.known, "deepid");
        assert!(error.to_string().contains("\"vgg\""));
    }
}
