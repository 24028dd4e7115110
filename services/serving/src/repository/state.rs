//! What is loaded, as requests see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use gifthorse_api::name::{Identifier, Version};
use gifthorse_store::ModelRecord;

use super::Runner;
use crate::linked::Standing;
use crate::protocol::ProtocolError;

/// A version that answers.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) name: Identifier,
    pub(crate) version: Version,
    pub(crate) record: ModelRecord,
    pub(crate) runner: Runner,
}

/// Where a version is between the store and the engine.
#[derive(Debug, Clone)]
pub(crate) enum VersionState {
    /// Being read, checked and warmed up.
    Loading,
    /// Answering.
    Ready(Arc<Served>),
    /// Finishing what it has accepted.
    Unloading,
    /// Kept but not answering, and why. Stays so until somebody asks for it again.
    Unavailable(String),
    /// Not answering because of a fault that may pass; the next round tries again.
    Delayed(String),
}

impl VersionState {
    /// The state as callers see it: a linked version whose network is another one, or out of reach, is loaded and
    /// does not answer.
    pub(crate) fn shown(&self) -> Self {
        match self {
            Self::Ready(served) => match served.runner.standing() {
                Standing::Sound => self.clone(),
                Standing::Unknown(reason) | Standing::Changed(reason) => Self::Delayed(reason),
            },
            other => other.clone(),
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// The protocol's name of the state.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Loading => "LOADING",
            Self::Ready(_) => "READY",
            Self::Unloading => "UNLOADING",
            Self::Unavailable(_) | Self::Delayed(_) => "UNAVAILABLE",
        }
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unavailable(reason) | Self::Delayed(reason) => reason,
            Self::Loading | Self::Ready(_) | Self::Unloading => "",
        }
    }
}

/// One model.
#[derive(Debug, Default)]
pub(crate) struct ModelState {
    /// The version that answers when none is named.
    pub(crate) promoted: Option<Version>,
    /// Whether a caller asked for the model to be unloaded here.
    pub(crate) withdrawn: bool,
    /// By number.
    pub(crate) versions: BTreeMap<Version, VersionState>,
}

/// All models, by name.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    pub(crate) models: BTreeMap<String, ModelState>,
}

/// One line of the repository index.
#[derive(Debug)]
pub(crate) struct IndexEntry {
    pub(crate) model: String,
    pub(crate) version: Version,
    pub(crate) state: VersionState,
}

impl Catalogue {
    /// The version that answers for a protocol request; an empty version means the promoted one.
    pub(crate) fn find(&self, model: &str, version: &str) -> Result<Arc<Served>, ProtocolError> {
        let unknown = || ProtocolError::UnknownModel { model: shortened(model) };
        let state = self.models.get(model).ok_or_else(unknown)?;
        let number = if version.is_empty() {
            state.promoted.ok_or_else(|| ProtocolError::NotReady {
                model: model.to_owned(),
                state: if state.withdrawn { "unloaded" } else { "without a promoted version" },
                reason: String::new(),
            })?
        } else {
            version.parse().map_err(|_| ProtocolError::UnknownVersion {
                model: model.to_owned(),
                version: shortened(version),
            })?
        };
        let not_ready = |state, reason: &str| ProtocolError::NotReady {
            model: format!("{model} version {number}"),
            state,
            reason: if reason.is_empty() { String::new() } else { format!(" ({reason})") },
        };
        match state.versions.get(&number) {
            Some(VersionState::Ready(served)) => match served.runner.standing() {
                Standing::Changed(reason) => Err(ProtocolError::Changed { reason }),
                Standing::Sound | Standing::Unknown(_) => Ok(Arc::clone(served)),
            },
            Some(VersionState::Loading) => Err(not_ready("loading", "")),
            Some(VersionState::Unloading) => Err(not_ready("unloading", "")),
            Some(VersionState::Unavailable(reason) | VersionState::Delayed(reason)) => {
                Err(not_ready("unavailable", reason))
            }
            None => {
                Err(ProtocolError::UnknownVersion { model: model.to_owned(), version: number.to_string() })
            }
        }
    }

    /// Whether a look at the store could change what [`find`](Self::find) answers: not for versions that
    /// answer or have failed, nor for models that were unloaded on request.
    pub(crate) fn may_be_behind(&self, model: &str, version: &str) -> bool {
        let Some(state) = self.models.get(model) else { return true };
        let number = match version {
            "" => state.promoted,
            text => match text.parse() {
                Ok(number) => Some(number),
                Err(_) => return false,
            },
        };
        let known = number.and_then(|number| state.versions.get(&number));
        !state.withdrawn && !matches!(known, Some(VersionState::Ready(_) | VersionState::Unavailable(_)))
    }

    /// The loaded versions.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.models.values().flat_map(|model| model.versions.values()).filter_map(|state| match state {
            VersionState::Ready(served) => Some(served),
            _ => None,
        })
    }

    pub(crate) fn index(&self) -> Vec<IndexEntry> {
        let versions = |(name, model): (&String, &ModelState)| {
            let name = name.clone();
            let entries = model.versions.iter().map(move |(version, state)| IndexEntry {
                model: name.clone(),
                version: *version,
                state: state.shown(),
            });
            entries.collect::<Vec<_>>()
        };
        self.models.iter().flat_map(versions).collect()
    }
}

pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::{Coded, ErrorCode};

    use super::*;

    fn catalogue() -> Catalogue {
        let mut model = ModelState { promoted: Version::new(2), ..ModelState::default() };
        model.versions.insert(Version::FIRST, VersionState::Loading);
        model.versions.insert(Version::FIRST.next(), VersionState::Unavailable("no memory".to_owned()));
        Catalogue { models: [("lab3".to_owned(), model)].into() }
    }

    #[test]
    fn each_way_not_to_be_there_has_its_own_answer() {
        let catalogue = catalogue();
        for (model, version, code, text) in [
            ("lab4", "", ErrorCode::ModelNotFound, "\"lab4\" is not known"),
            ("lab3", "7", ErrorCode::ModelVersionNotFound, "no version \"7\""),
            ("lab3", "x", ErrorCode::ModelVersionNotFound, "no version \"x\""),
            ("lab3", "1", ErrorCode::ModelNotReady, "is loading"),
            ("lab3", "", ErrorCode::ModelNotReady, "is unavailable (no memory)"),
        ] {
            let error = catalogue.find(model, version).unwrap_err();
            assert_eq!(error.code(), code, "{model} {version}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn the_store_is_asked_for_what_may_have_changed_only() {
        let mut catalogue = catalogue();
        for (model, version, expected) in [
            ("lab4", "", true),
            ("lab3", "7", true),
            ("lab3", "x", false),
            ("lab3", "1", true),
            ("lab3", "2", false),
            ("lab3", "", false),
        ] {
            assert_eq!(catalogue.may_be_behind(model, version), expected, "{model} {version}");
        }
        if let Some(model) = catalogue.models.get_mut("lab3") {
            model.withdrawn = true;
        }
        assert!(!catalogue.may_be_behind("lab3", "1"));
    }

    #[test]
    fn the_index_lists_every_version() {
        let lines: Vec<_> = catalogue()
            .index()
            .iter()
            .map(|entry| {
                format!("{} {} {} {}", entry.model, entry.version, entry.state.as_str(), entry.state.reason())
            })
            .collect();
        assert_eq!(lines, ["lab3 1 LOADING ", "lab3 2 UNAVAILABLE no memory"]);
        assert_eq!(catalogue().loaded().count(), 0);
    }
}
