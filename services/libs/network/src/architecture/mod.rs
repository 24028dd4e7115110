//! Network architectures known by name, for files that hold weights alone.
//!
//! Each template is a Keras model description in JSON, the same text that Keras itself writes for a model,
//! so a template and a file from elsewhere take one way through the reader.

mod keras;
mod victims;

use std::borrow::Cow;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde_json::{Value, json};

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
    /// Two convolutions and two fully connected layers: input `[N, 28, 28, 1]`, 10 classes.
    Mnist,
    /// Four convolutions with batch normalisation: input `[N, 32, 32, 3]`, 10 classes.
    Conv4,
    /// `ResNet-18` for small pictures: input `[N, 32, 32, 3]`, 10 classes.
    ResNet18,
}

impl Template {
    /// Every template.
    pub const ALL: &'static [Self] = &[Self::DeepId, Self::Mnist, Self::Conv4, Self::ResNet18];

    /// The name it is asked for by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeepId => "deepid",
            Self::Mnist => "mnist",
            Self::Conv4 => "conv4",
            Self::ResNet18 => "resnet18",
        }
    }

    /// Rows, columns and channels of the pictures it was made for.
    pub const fn image(self) -> [u64; 3] {
        match self {
            Self::DeepId => [55, 47, 3],
            Self::Mnist => [28, 28, 1],
            Self::Conv4 | Self::ResNet18 => [32, 32, 3],
        }
    }

    /// The classes it was made for.
    pub const fn classes(self) -> u64 {
        match self {
            Self::DeepId => 1283,
            Self::Mnist | Self::Conv4 | Self::ResNet18 => 10,
        }
    }

    /// The Keras model description, JSON.
    pub fn keras_json(self) -> Cow<'static, str> {
        match self {
            Self::DeepId => Cow::Borrowed(include_str!("deepid.json")),
            Self::Mnist | Self::Conv4 | Self::ResNet18 => {
                Cow::Owned(self.sized(self.image(), self.classes()))
            }
        }
    }

    /// The description for pictures of another size (rows, columns, channels) and another count of classes.
    pub fn sized(self, image: [u64; 3], classes: u64) -> String {
        match self {
            Self::DeepId => deepid(image, classes),
            Self::Mnist => victims::mnist(image, classes),
            Self::Conv4 => victims::conv4(image, classes),
            Self::ResNet18 => victims::resnet18(image, classes),
        }
    }
}

/// The face network with the sizes of its two ends replaced.
fn deepid([height, width, channels]: [u64; 3], classes: u64) -> String {
    let text = include_str!("deepid.json");
    let Ok(mut description) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    let layers = description["config"]["layers"].as_array_mut().into_iter().flatten();
    for layer in layers {
        let name = layer["name"].as_str().unwrap_or_default().to_owned();
        let config = &mut layer["config"];
        match name.as_str() {
            "input" => config["batch_input_shape"] = json!([null, height, width, channels]),
            "output" => config["units"] = json!(classes),
            _ => {}
        }
    }
    description.to_string()
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
            let json: serde_json::Value = serde_json::from_str(&template.keras_json()).unwrap();
            assert!(json["config"]["layers"].as_array().is_some_and(|layers| !layers.is_empty()));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "vgg".parse::<Template>().unwrap_err();
        assert_eq!(error.known, "deepid, mnist, conv4, resnet18");
        assert!(error.to_string().contains("\"vgg\""));
    }
}
