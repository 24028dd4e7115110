//! Layered configuration: defaults < file < environment < flags.
//!
//! * The file is TOML, named by `--config FILE` or `GIFTHORSE_CONFIG`.
//! * The environment is `GIFTHORSE_<SERVICE>__SECTION__KEY=value`, for example
//!   `GIFTHORSE_SERVING__SERVICE__LIMITS__MESSAGE_BYTES=128MiB`.
//! * Flags are `--set section.key=value`, repeatable, and a few named ones; see [`Arguments`].
//!
//! A key that no section knows is refused with the place it was written and the nearest known key, so that a
//! spelling mistake never passes for a default. Structures of sections derive `Serialize` and `Deserialize`
//! with `#[serde(default, deny_unknown_fields)]` and are embedded as sections, never `#[serde(flatten)]`ed:
//! serde swallows unknown keys behind a flatten.

mod arguments;
mod error;
mod keys;
mod layer;
mod secret;
mod sections;
mod units;

use figment::error::Kind;
use figment::providers::Serialized;
use figment::{Figment, Metadata};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use arguments::Arguments;
pub use error::ConfigurationError;
pub use secret::Secret;
pub use sections::{
    DrainConfiguration, LimitsConfiguration, LogConfiguration, LogFormat, RuntimeConfiguration,
    ServiceConfiguration, StoreConfiguration,
};
pub use units::{ByteSize, ByteSizeError};

/// A value that is well formed but makes no sense, found by [`Validate::validate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key in the form `section.key`.
    pub key: String,
    /// What is wrong with its value and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with the value of `key`.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// The same problem, seen from the section above: its key begins with `section.`.
    #[must_use]
    pub fn within(mut self, section: &str) -> Self {
        self.key = format!("{section}.{}", self.key);
        self
    }
}

/// The checks that types alone cannot express (one limit below another, a path that must exist).
pub trait Validate {
    /// The first problem found, or none.
    fn validate(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// The configuration of a whole service: its own sections and the common one, `[service]`.
pub trait Configuration: Serialize + DeserializeOwned + Default + Validate {
    /// The common section.
    fn service(&self) -> &ServiceConfiguration;
}

/// What loading came to.
#[derive(Debug)]
pub enum Outcome<C> {
    /// Run with this configuration.
    Run(C),
    /// `--dump-config` was given: print this TOML (secrets redacted) and exit.
    Dump(String),
}

/// Loads the configuration of `service` from all layers, the environment being that of the process.
///
/// `service` is the short name ("serving"); it decides the prefix of the variables.
pub fn load<C>(service: &str, arguments: &Arguments) -> Result<Outcome<C>, ConfigurationError>
where
    C: Serialize + DeserializeOwned + Default + Validate,
{
    // A variable that is not UTF-8 cannot be one of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_with(service, arguments, environment)
}

/// [`load`] with the environment given as `(variable, value)` pairs.
pub fn load_with<C>(
    service: &str,
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Outcome<C>, ConfigurationError>
where
    C: Serialize + DeserializeOwned + Default + Validate,
{
    let defaults = Figment::from(Serialized::defaults(C::default()));
    let tree: serde_json::Value = defaults.extract().map_err(|error| described(&error))?;
    let layers = layer::collect(service, arguments, environment, &tree)?;
    let merged = layers.into_iter().fold(defaults, Figment::merge);

    refuse_unknown_keys::<C>(&merged, &tree)?;
    let configuration: C = merged.extract().map_err(|error| match &error.kind {
        Kind::UnknownField(name, _) => {
            // figment's path ends with the unknown field for some deserialisers, and above it for others.
            let field = (error.path.last() != Some(name)).then_some(name);
            let key = error.path.iter().chain(field).cloned().collect::<Vec<_>>().join(".");
            unknown_key(&merged, &tree, key)
        }
        _ => described(&error),
    })?;
    configuration.validate().map_err(|problem| ConfigurationError::Value {
        origin: origin(&merged, &problem.key),
        key: problem.key,
        message: problem.message,
    })?;

    if arguments.dump_config {
        dump(&configuration).map(Outcome::Dump)
    } else {
        Ok(Outcome::Run(configuration))
    }
}

/// The effective configuration as TOML, secrets redacted; reading it back gives the same configuration when
/// there are no secrets in it.
pub fn dump<C: Serialize>(configuration: &C) -> Result<String, ConfigurationError> {
    toml::to_string(configuration).map_err(|error| ConfigurationError::Dump { message: error.to_string() })
}

fn refuse_unknown_keys<C: DeserializeOwned>(
    merged: &Figment,
    defaults: &serde_json::Value,
) -> Result<(), ConfigurationError> {
    let tree: serde_json::Value = merged.extract().map_err(|error| described(&error))?;
    let mut ignored = None;
    // A failure to deserialise is reported by the caller, whose error knows the origin of the value.
    let _ = serde_ignored::deserialize::<_, _, C>(tree, |path| {
        // The question marks stand for `Some`, which is no part of a key.
        ignored.get_or_insert_with(|| path.to_string().replace(".?", ""));
    });
    ignored.map_or(Ok(()), |key| Err(unknown_key(merged, defaults, key)))
}

fn unknown_key(merged: &Figment, defaults: &serde_json::Value, key: String) -> ConfigurationError {
    ConfigurationError::UnknownKey {
        origin: origin(merged, &key),
        nearest: keys::nearest(&key, &keys::all(defaults)),
        key,
    }
}

fn origin(merged: &Figment, key: &str) -> String {
    named(merged.find_metadata(key))
}

/// Our layers are named for people; figment names the defaults after their Rust type.
fn named(metadata: Option<&Metadata>) -> String {
    match metadata.map(|metadata| metadata.name.as_ref()) {
        Some(name) if !name.contains("::") => name.to_owned(),
        _ => "the defaults".to_owned(),
    }
}

fn described(error: &figment::Error) -> ConfigurationError {
    ConfigurationError::Value {
        key: error.path.join("."),
        origin: named(error.metadata.as_ref()),
        message: error.kind.to_string(),
    }
}

#[cfg(test)]
mod tests;
