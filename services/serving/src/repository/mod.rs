//! The versions in memory, kept in step with the store.
//!
//! The store says which versions exist and which is promoted; [`Repository::reconcile`] makes the engine
//! agree: new versions are loaded beside the old ones, a promotion takes effect when its version is ready,
//! and what is no longer wanted finishes its requests before it goes. Nothing else loads or unloads.

mod error;
mod follow;
mod hold;
mod links;
mod reconcile;
mod runner;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use gifthorse_api::name::{Identifier, Version};
use gifthorse_engine::Engine;
use gifthorse_service::Tasks;
use gifthorse_store::{Models, StoreError};

pub(crate) use error::RepositoryError;
pub(crate) use hold::Hold;
use hold::Holds;
pub(crate) use runner::{RunError, Runner};
pub(crate) use state::{Catalogue, IndexEntry, Served, VersionState};

use crate::configuration::{BatchingConfiguration, LinkConfiguration, RepositoryConfiguration};
use crate::linked::Standing;
use crate::protocol::ProtocolError;

/// Look-ups that found nothing new, remembered at most; then all are forgotten.
const MISSES: usize = 1024;

/// What is loaded, and what is needed to load more.
#[derive(Debug)]
pub(crate) struct Repository {
    models: Models,
    engine: Engine,
    batching: BatchingConfiguration,
    execution: gifthorse_engine::Execution,
    configuration: RepositoryConfiguration,
    link: LinkConfiguration,
    tasks: Tasks,
    catalogue: RwLock<Catalogue>,
    /// One reconciliation of a model at a time.
    turns: Mutex<HashMap<Identifier, Arc<tokio::sync::Mutex<()>>>>,
    /// When a request last asked the store in vain, by model and version: strangers must not make every
    /// request for a model that is not there a walk through the store.
    misses: Mutex<HashMap<(String, String), Instant>>,
    holds: Holds,
}

impl Repository {
    pub(crate) fn new(
        models: Models,
        engine: Engine,
        configuration: &crate::ServingConfiguration,
        tasks: Tasks,
    ) -> Self {
        Self {
            models,
            engine,
            batching: configuration.batching.clone(),
            execution: configuration.engine.execution,
            configuration: configuration.repository.clone(),
            link: configuration.link.clone(),
            tasks,
            catalogue: RwLock::default(),
            turns: Mutex::default(),
            misses: Mutex::default(),
            holds: Holds::default(),
        }
    }

    /// The version that answers for a protocol request; an empty version means the promoted one.
    pub(crate) fn find(&self, model: &str, version: &str) -> Result<Arc<Served>, ProtocolError> {
        if model.is_empty() {
            return Err(ProtocolError::NoModelName { field: "model_name" });
        }
        self.catalogue().find(model, version)
    }

    /// [`find`](Self::find), after a look at the store where that may help: another replica has made or
    /// promoted the version a moment ago, or it is being loaded here. Waits until it is loaded.
    pub(crate) async fn find_current(
        self: &Arc<Self>,
        model: &str,
        version: &str,
    ) -> Result<Arc<Served>, ProtocolError> {
        let found = self.find(model, version);
        // A name that cannot be one is in no store.
        let Ok(name) = model.parse::<Identifier>() else { return found };
        if found.is_ok() || !self.catalogue().may_be_behind(model, version) || self.missed(model, version) {
            return found;
        }
        if let Err(error) = self.reconcile_apart(&name, &[]).await {
            tracing::warn!(model = %name, %error, "a model cannot be followed");
        }
        let found = self.find(model, version);
        if found.is_err() {
            self.remember_miss(model, version);
        }
        found
    }

    /// Whether the store was asked for this in vain within the time that replicas may be behind anyway.
    fn missed(&self, model: &str, version: &str) -> bool {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let last = misses.get(&(model.to_owned(), version.to_owned()));
        last.is_some_and(|at| at.elapsed() < self.configuration.refresh)
    }

    fn remember_miss(&self, model: &str, version: &str) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.len() >= MISSES {
            misses.clear();
        }
        misses.insert((model.to_owned(), version.to_owned()), Instant::now());
    }

    /// Something of this model is being loaded: whoever asks for it shall wait and not be told of the past.
    fn forget_misses(&self, model: &Identifier) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.retain(|(name, _), _| name != model.as_str());
    }

    pub(crate) fn knows(&self, model: &str) -> bool {
        self.catalogue().models.contains_key(model)
    }

    /// What is loaded, linked versions that must not answer included.
    pub(crate) fn loaded(&self) -> Vec<Arc<Served>> {
        self.catalogue().loaded().cloned().collect()
    }

    pub(crate) fn ready_versions(&self, model: &Identifier) -> Vec<Version> {
        let catalogue = self.catalogue();
        let loaded = catalogue.loaded().filter(|served| served.name == *model);
        loaded
            .filter(|served| served.runner.standing() == Standing::Sound)
            .map(|served| served.version)
            .collect()
    }

    pub(crate) fn index(&self) -> Vec<IndexEntry> {
        self.catalogue().index()
    }

    /// State of one version here; versions that are in the store only are unavailable.
    pub(crate) fn state(&self, model: &Identifier, version: Version) -> VersionState {
        let catalogue = self.catalogue();
        let known = catalogue.models.get(model.as_str()).and_then(|model| model.versions.get(&version));
        known.map_or_else(|| VersionState::Unavailable("not loaded".to_owned()), VersionState::shown)
    }

    /// Loads a model, or what is new of it, and waits until it is ready.
    pub(crate) async fn load(self: &Arc<Self>, model: &str) -> Result<(), RepositoryError> {
        let name = self.existing(model).await?;
        if let Some(model) = self.catalogue_mut().models.get_mut(model) {
            model.withdrawn = false;
            // Asking again is worth another try for what failed before.
            model.versions.retain(|_, state| !matches!(state, VersionState::Unavailable(_)));
        }
        self.reconcile_apart(&name, &[]).await?;
        self.find(model, "").map(drop).map_err(RepositoryError::from)
    }

    /// Takes a model out of service here and waits until its requests are answered.
    pub(crate) async fn unload(self: &Arc<Self>, model: &str) -> Result<(), RepositoryError> {
        let name = self.existing(model).await?;
        self.catalogue_mut().models.entry(model.to_owned()).or_default().withdrawn = true;
        self.reconcile_apart(&name, &[]).await
    }

    async fn existing(&self, model: &str) -> Result<Identifier, RepositoryError> {
        let name: Identifier = model.parse()?;
        match self.models.get(&name).await {
            Ok(_) => Ok(name),
            Err(StoreError::ModelNotFound { .. }) => {
                Err(ProtocolError::UnknownModel { model: model.to_owned() }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes this version answer beside the others, whatever its age, before it is promoted, and keeps it so
    /// until the hold is dropped: hold it until the promotion is followed. A model that was unloaded here on
    /// request stays so; its versions were tried out when they were imported.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        model: &Identifier,
        version: Version,
    ) -> Result<Hold, RepositoryError> {
        let hold = self.holds.hold(model, version);
        self.reconcile_apart(model, &[]).await?;
        if self.catalogue().models.get(model.as_str()).is_some_and(|state| state.withdrawn) {
            return Ok(hold);
        }
        if let Some(served) = self.loaded_version(model, version)
            && let Some(linked) = served.runner.linked()
        {
            linked.check().await?;
        }
        match self.state(model, version) {
            VersionState::Ready(_) => Ok(hold),
            state => Err(not_ready(model, version, &state).into()),
        }
    }

    /// Whether the version that answers for a protocol request would answer now. What is not known of a linked
    /// network is asked.
    pub(crate) async fn is_ready(
        self: &Arc<Self>,
        model: &str,
        version: &str,
    ) -> Result<bool, ProtocolError> {
        match self.find_current(model, version).await {
            Ok(served) => Ok(match (served.runner.standing(), served.runner.linked()) {
                (Standing::Unknown(_), Some(linked)) => linked.check().await.is_ok(),
                (standing, _) => standing == Standing::Sound,
            }),
            Err(ProtocolError::NotReady { .. } | ProtocolError::Changed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalogue_mut(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_ready(model: &Identifier, version: Version, state: &VersionState) -> ProtocolError {
    ProtocolError::NotReady {
        model: format!("{model} version {version}"),
        state: state.as_str(),
        reason: format!(" ({})", state.reason()),
    }
}
