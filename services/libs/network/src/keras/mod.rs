//! Keras HDF5 files, in and out.
//!
//! [`import`] reads full models and, with an architecture given beside them, files of weights alone, of
//! Keras 2 and Keras 3. Nothing in a file is ever executed: Lambda layers and custom objects are refused by
//! name. [`export_h5`] writes a network that came from Keras back as a full model, [`draw_h5`] one that is not
//! trained yet.

mod activation;
mod calls;
mod classifier;
mod convert;
mod draw;
mod export;
mod fault;
mod hdf5_file;
mod layer;
mod layer_parse;
mod model;
mod origin;
mod padding;
mod parameter;
mod settings;
mod source;
mod text;
mod weights;

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;

use prost::Message;

pub use draw::draw_h5;
pub use export::export_h5;

use crate::NetworkError;
use crate::architecture::{Template, UnknownArchitecture};
use crate::description::Imported;

/// What the layers of a weights-only file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Architecture {
    /// A built-in one.
    Template(Template),
    /// A Keras model description, the JSON text of `Model.to_json()`.
    Json(String),
}

impl Architecture {
    /// The Keras model description, JSON.
    pub fn keras_json(&self) -> Cow<'_, str> {
        match self {
            Self::Template(template) => template.keras_json(),
            Self::Json(json) => Cow::Borrowed(json),
        }
    }
}

impl From<Template> for Architecture {
    fn from(template: Template) -> Self {
        Self::Template(template)
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    /// The built-in architecture of this name.
    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        name.parse::<Template>().map(Self::from)
    }
}

/// What the caller knows beside the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KerasOptions {
    /// The architecture of a weights-only file; a full model's own description takes precedence.
    pub architecture: Option<Architecture>,
}

/// Reads a Keras `.h5` file and converts it to ONNX.
///
/// The ONNX input is `[N, H, W, C]` (`[N, C, H, W]` for a channels-first network), FP32, with a free batch
/// axis; the output is `[N, M]` probabilities. The description lists the layers with their Keras shapes.
///
/// # Errors
///
/// Every way in which a file can fail to be an image classifier of supported layers; see [`NetworkError`].
pub fn import(path: &Path, options: &KerasOptions) -> Result<Imported, NetworkError> {
    let classifier = source::read(path, options.architecture.as_ref())?;
    Ok(Imported { onnx: classifier.onnx.encode_to_vec(), description: classifier.description })
}

#[cfg(test)]
mod tests;
