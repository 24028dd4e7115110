//! The layers above the defaults, each knowing where it was written.

use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::{Arguments, ConfigurationError, keys};

/// The variable that names the file when `--config` is absent.
const FILE_VARIABLE: &str = "GIFTHORSE_CONFIG";

/// Short spellings of the common keys, for flags (`--listen`) and variables (`GIFTHORSE_SERVING__LISTEN`).
const SHORT: [(&str, &str); 4] = [
    ("listen", "service.listen"),
    ("admin_listen", "service.admin_listen"),
    ("log_format", "service.log.format"),
    ("log_filter", "service.log.filter"),
];

/// Values and where they were written.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    origin: String,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// All layers, weakest first. `defaults` decides how text is read: where the default is text, so is the value.
pub(super) fn collect(
    service: &str,
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
    defaults: &serde_json::Value,
) -> Result<Vec<Layer>, ConfigurationError> {
    let prefix = format!("GIFTHORSE_{}__", service.to_uppercase().replace('-', "_"));
    let mut file = arguments.config.clone();
    let mut variables = Vec::new();
    for (name, value) in environment {
        if name == FILE_VARIABLE && file.is_none() && !value.is_empty() {
            file = Some(value.into());
        } else if let Some(path) = name.strip_prefix(&prefix) {
            let path = path.to_lowercase().replace("__", ".");
            let layer = assignment(format!("the environment variable {name}"), &path, &value, defaults);
            variables.push((name, layer));
        }
    }
    // The order of the environment is not defined; that of the layers shall be.
    variables.sort_by(|(one, _), (other, _)| one.cmp(other));

    let mut layers = Vec::new();
    layers.extend(file.as_deref().map(from_file).transpose()?);
    layers.extend(variables.into_iter().map(|(_, layer)| layer));
    layers.extend(from_flags(arguments, defaults)?);
    Ok(layers)
}

fn from_file(path: &Path) -> Result<Layer, ConfigurationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigurationError::File { path: path.to_owned(), source })?;
    let values = toml::from_str(&text)
        .map_err(|error| ConfigurationError::Syntax { path: path.to_owned(), message: error.to_string() })?;
    Ok(Layer { origin: format!("the file {}", path.display()), values })
}

fn from_flags(arguments: &Arguments, defaults: &serde_json::Value) -> Result<Vec<Layer>, ConfigurationError> {
    let mut layers = Vec::new();
    for found in &arguments.set {
        let wrong = || ConfigurationError::Assignment { found: found.clone() };
        let (key, value) = found.split_once('=').ok_or_else(wrong)?;
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(wrong());
        }
        layers.push(assignment(format!("the flag --set {key}"), key, value, defaults));
    }
    let named = [
        ("listen", &arguments.listen),
        ("admin_listen", &arguments.admin_listen),
        ("log_format", &arguments.log_format),
        ("log_filter", &arguments.log_filter),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            let origin = format!("the flag --{}", key.replace('_', "-"));
            layers.push(assignment(origin, key, value, defaults));
        }
    }
    Ok(layers)
}

fn assignment(origin: String, key: &str, text: &str, defaults: &serde_json::Value) -> Layer {
    let key = SHORT.iter().find(|(short, _)| *short == key).map_or(key, |(_, long)| long);
    let path: Vec<String> = key.split('.').map(str::to_owned).collect();
    let is_text = keys::at(defaults, &path).is_some_and(serde_json::Value::is_string);
    let value = if is_text { Value::from(text) } else { parsed(text) };
    let value = path.iter().rev().fold(value, |inner, name| {
        let mut dict = Dict::new();
        dict.insert(name.clone(), inner);
        Value::from(dict)
    });
    Layer { origin, values: value.into_dict().unwrap_or_default() }
}

/// Text as a boolean, number, list or, failing those, text.
fn parsed(text: &str) -> Value {
    text.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}
