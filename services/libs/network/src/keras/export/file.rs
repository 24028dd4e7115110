//! Laying the weights out in an HDF5 file as Keras does.

use std::path::Path;

use hdf5::types::VarLenUnicode;
use hdf5::{File, Group, Location};
use ndarray::{Array1, ArrayD, arr0};

use super::super::model::{Content, Entry, Model};
use super::super::parameter::Parameter;
use super::config::describe;
use super::order::keras_order;
use crate::NetworkError;

/// The most bytes an attribute may have; HDF5 keeps 16 bytes a text there.
const LARGEST_ATTRIBUTE: usize = 64_512;
const BYTES_A_TEXT: usize = 16;
/// The Keras version that is named when the source named none.
const UNKNOWN_VERSION: &str = "2.4.0";

/// Weights in the order of Keras, each with where it belongs.
type Weights<'a> = [(&'a Parameter, ArrayD<f32>)];

/// Writes description and weights.
pub(in crate::keras) fn write(
    destination: &Path,
    model: &Model,
    version: &str,
    weights: &Weights<'_>,
) -> Result<(), NetworkError> {
    hdf5::silence_errors(true);
    let version = if version.is_empty() { UNKNOWN_VERSION } else { version };
    let written = (|| {
        let file = File::create(destination)?;
        text(&file, "keras_version", version)?;
        text(&file, "backend", "tensorflow")?;
        text(&file, "model_config", &describe(model).to_string())?;
        let root = file.create_group("model_weights")?;
        text(&root, "keras_version", version)?;
        text(&root, "backend", "tensorflow")?;
        let order = keras_order(model);
        let names: Vec<&str> = order.iter().map(|index| model.entries[*index].name.as_str()).collect();
        texts(&root, "layer_names", &names)?;
        for index in order {
            layer(&root, &model.entries[index], weights)?;
        }
        file.close()
    })();
    written.map_err(|error: hdf5::Error| NetworkError::File {
        action: "write",
        path: destination.display().to_string(),
        source: std::io::Error::other(error.to_string()),
    })
}

/// Writes one layer's group.
fn layer(root: &Group, entry: &Entry, weights: &Weights<'_>) -> hdf5::Result<()> {
    let group = root.create_group(&entry.name)?;
    let mut paths = Vec::new();
    leaves(&entry.content, entry.name.clone(), &mut paths);
    // Keras wants the trained weights of all layers of a model first, then the others.
    let of_kind = |trainable: bool| {
        paths.iter().flat_map(move |(path, roles)| {
            roles.iter().filter(move |(_, trained)| *trained == trainable).map(move |(role, _)| (path, *role))
        })
    };
    let mut names = Vec::new();
    for (path, role) in of_kind(true).chain(of_kind(false)) {
        let found = weights.iter().find(|(parameter, _)| parameter.path == *path && parameter.role == role);
        let Some((_, values)) = found else { continue };
        let name = format!("{path}/{role}:0");
        group.new_dataset_builder().with_data(values).create(name.as_str())?;
        names.push(name);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    texts(&group, "weight_names", &names)
}

/// The layers with weights in `content`, as paths with the names of their weights and whether each is trained.
fn leaves(content: &Content, path: String, found: &mut Vec<(String, Vec<(&'static str, bool)>)>) {
    match content {
        Content::Input(_) => {}
        Content::Layer(layer) => {
            found.push((path, layer.roles().iter().map(|role| (role.name, role.trainable)).collect()));
        }
        Content::Model(model) => {
            for index in keras_order(model) {
                let entry = &model.entries[index];
                leaves(&entry.content, format!("{path}/{}", entry.name), found);
            }
        }
    }
}

fn unicode(text: &str) -> hdf5::Result<VarLenUnicode> {
    text.parse().map_err(|error| hdf5::Error::from(format!("{text:?}: {error}")))
}

/// Writes one text.
fn text(object: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    object.new_attr_builder().with_data(&arr0(unicode(value)?)).create(name)?;
    Ok(())
}

/// Writes a list of texts, split over `NAME0`, `NAME1`, ... when it is longer than an attribute may be.
fn texts(object: &Location, name: &str, values: &[&str]) -> hdf5::Result<()> {
    if values.is_empty() {
        object.new_attr::<f64>().shape(0).create(name)?;
        return Ok(());
    }
    let most = LARGEST_ATTRIBUTE / BYTES_A_TEXT;
    let parts = values.chunks(most);
    let single = parts.len() == 1;
    for (index, part) in parts.enumerate() {
        let name = if single { name.to_owned() } else { format!("{name}{index}") };
        let part = part.iter().map(|value| unicode(value)).collect::<hdf5::Result<Array1<_>>>()?;
        object.new_attr_builder().with_data(&part).create(name.as_str())?;
    }
    Ok(())
}
