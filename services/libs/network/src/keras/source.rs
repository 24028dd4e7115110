//! Finding description and weights in a file.

use std::borrow::Cow;
use std::path::Path;

use super::Architecture;
use super::activation::Generation;
use super::classifier::{self, Classifier};
use super::fault::{damaged, unsupported};
use super::hdf5_file::{self, Folder, hdf5_fault};
use super::model::Model;
use super::text::{optional_text, optional_texts};
use super::weights::Weights;
use crate::NetworkError;
use crate::architecture::Template;
use crate::description::SourceKind;

/// Reads and converts a file.
pub(super) fn read(path: &Path, architecture: Option<&Architecture>) -> Result<Classifier, NetworkError> {
    let file = hdf5_file::open(path)?;
    let group = file.as_group().map_err(hdf5_fault("the root group cannot be opened"))?;
    let root = Folder::list(group)?;
    let description = optional_text(&root.group, "model_config")?;
    let weights = if root.has("model_weights") { root.folder("model_weights")? } else { root.clone() };
    let version = match optional_text(&root.group, "keras_version")? {
        Some(version) => Some(version),
        None => optional_text(&weights.group, "keras_version")?,
    };
    let version = version.unwrap_or_default();
    let (kind, json) = match (&description, architecture) {
        (Some(description), _) => (SourceKind::KerasModel, Cow::Borrowed(description.as_str())),
        (None, Some(architecture)) => (SourceKind::KerasWeights, architecture.keras_json()),
        (None, None) => return Err(without_description(&root, &weights)),
    };
    let model = Model::parse(&json, Generation::of(&version))?;
    if optional_texts(&weights.group, "layer_names")?.is_none() {
        return Err(without_description(&root, &weights));
    }
    let weights = Weights::assign(&weights, &model)?;
    classifier::convert(model, &weights, kind, &version)
}

/// Why a file without a description, or without listed weights, is not taken.
fn without_description(root: &Folder, weights: &Folder) -> NetworkError {
    if ["layers", "_layer_checkpoint_dependencies", "vars"].iter().any(|name| root.has(name)) {
        return unsupported(
            "a Keras 3 .weights.h5 file",
            "load it into its model and save the whole model with model.save(\"model.h5\")",
        );
    }
    match optional_texts(&weights.group, "layer_names") {
        Ok(Some(_)) => {
            let known: Vec<_> = Template::ALL.iter().map(|template| template.name()).collect();
            unsupported(
                "a file of weights without an architecture",
                format!("pass --architecture with {} or a Keras JSON file", known.join(", ")),
            )
        }
        Ok(None) => damaged("it is an HDF5 file, but has neither model_config nor layer_names of Keras"),
        Err(error) => error,
    }
}
