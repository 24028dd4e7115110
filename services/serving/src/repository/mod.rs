//! The versions in memory, kept in step with the store.
//!
//! The store says which versions exist and which is promoted; [`Repository::reconcile`] makes the engine
//! agree: new versions are loaded beside the old ones, a promotion takes effect when its version is ready,
//! and what is no longer wanted finishes its requests before it goes. Nothing else loads or unloads.

mod state;

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::name::{Identifier, NameError, Version};
use gifthorse_engine::{Engine, EngineError, ModelOptions};
use gifthorse_service::{Latch, Tasks};
use gifthorse_store::{Model, ModelRecord, Models, PageRequest, StoreError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub(crate) use state::{Catalogue, IndexEntry, Served, VersionState};

use crate::configuration::{BatchingConfiguration, RepositoryConfiguration};
use crate::protocol::ProtocolError;

/// Why a model could not be loaded or unloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Unknown(#[from] ProtocolError),
    #[error("loading was interrupted: the service is stopping")]
    Interrupted,
}

impl Coded for RepositoryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Name(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Engine(error) => error.code(),
            Self::Unknown(error) => error.code(),
            Self::Interrupted => ErrorCode::Draining,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Store(error) => error.facts(),
            Self::Engine(error) => error.facts(),
            Self::Name(_) | Self::Unknown(_) | Self::Interrupted => Vec::new(),
        }
    }
}

/// What is loaded, and what is needed to load more.
#[derive(Debug)]
pub(crate) struct Repository {
    models: Models,
    engine: Engine,
    batching: BatchingConfiguration,
    execution: gifthorse_engine::Execution,
    configuration: RepositoryConfiguration,
    tasks: Tasks,
    catalogue: RwLock<Catalogue>,
    /// One reconciliation of a model at a time.
    turns: Mutex<HashMap<Identifier, Arc<tokio::sync::Mutex<()>>>>,
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
            tasks,
            catalogue: RwLock::default(),
            turns: Mutex::default(),
        }
    }

    /// The version that answers for a protocol request; an empty version means the promoted one.
    pub(crate) fn find(&self, model: &str, version: &str) -> Result<Arc<Served>, ProtocolError> {
        if model.is_empty() {
            return Err(ProtocolError::NoModelName { field: "model_name" });
        }
        self.catalogue().find(model, version)
    }

    pub(crate) fn knows(&self, model: &str) -> bool {
        self.catalogue().models.contains_key(model)
    }

    pub(crate) fn ready(&self) -> Vec<Arc<Served>> {
        self.catalogue().ready().cloned().collect()
    }

    pub(crate) fn ready_versions(&self, model: &Identifier) -> Vec<Version> {
        let catalogue = self.catalogue();
        catalogue.ready().filter(|served| served.name == *model).map(|served| served.version).collect()
    }

    pub(crate) fn index(&self) -> Vec<IndexEntry> {
        self.catalogue().index()
    }

    /// State of one version here; versions that are in the store only are unavailable.
    pub(crate) fn state(&self, model: &Identifier, version: Version) -> VersionState {
        let catalogue = self.catalogue();
        let known = catalogue.models.get(model.as_str()).and_then(|model| model.versions.get(&version));
        known.cloned().unwrap_or_else(|| VersionState::Unavailable("not loaded".to_owned()))
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

    /// Makes this version answer beside the others, whatever its age, before it is promoted.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        model: &Identifier,
        version: Version,
    ) -> Result<(), RepositoryError> {
        self.reconcile_apart(model, &[version]).await?;
        match self.state(model, version) {
            VersionState::Ready(_) => Ok(()),
            state => Err(ProtocolError::NotReady {
                model: format!("{model} version {version}"),
                state: state.as_str(),
                reason: format!(" ({})", state.reason()),
            }
            .into()),
        }
    }

    /// Brings one model in step with the store, in a task of its own: a caller that goes away while a
    /// network is being loaded must not leave it half loaded.
    pub(crate) async fn reconcile_apart(
        self: &Arc<Self>,
        model: &Identifier,
        wanted: &[Version],
    ) -> Result<(), RepositoryError> {
        let (repository, model, wanted) = (Arc::clone(self), model.clone(), wanted.to_vec());
        let work = async move { repository.reconcile(&model, &wanted).await };
        self.tasks.start("load models", work).await.map_err(|_| RepositoryError::Interrupted)?
    }

    async fn reconcile(&self, name: &Identifier, wanted: &[Version]) -> Result<(), RepositoryError> {
        let turn = self.turn(name);
        let _turn = turn.lock().await;
        let found = match self.models.get(name).await {
            Ok(model) => Some(model),
            Err(StoreError::ModelNotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let records = match &found {
            Some(model) => self.wanted_records(model, wanted).await?,
            None => Vec::new(),
        };
        let withdrawn = {
            let mut catalogue = self.catalogue_mut();
            let state = catalogue.models.entry(name.to_string()).or_default();
            state.withdrawn
        };
        let records = if withdrawn { Vec::new() } else { records };
        for record in &records {
            self.load_version(name, record).await;
        }
        let promotion = found.as_ref().and_then(|model| model.promoted.as_ref());
        self.promote(name, promotion.and_then(|promotion| promotion.version), withdrawn);
        let keep: BTreeSet<Version> = records.iter().map(|record| record.version).collect();
        self.unload_others(name, &keep).await;
        if found.is_none() {
            self.catalogue_mut().models.remove(name.as_str());
            self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        Ok(())
    }

    /// Records of the versions that should answer: the promoted one, its suspect, the newest, and `wanted`.
    async fn wanted_records(
        &self,
        model: &Model,
        wanted: &[Version],
    ) -> Result<Vec<ModelRecord>, RepositoryError> {
        let newest = PageRequest::new(self.configuration.newest_versions.get() as i32, "")?;
        let page = self.models.list_versions(&model.name, &newest).await?;
        for damaged in &page.damaged {
            tracing::error!(model = %model.name, error = %damaged, "a version cannot be read");
        }
        let mut records = page.items;
        let (promoted, suspect) =
            model.promoted.as_ref().map_or((None, None), |promotion| (promotion.version, promotion.suspect));
        for version in promoted.into_iter().chain(suspect).chain(wanted.iter().copied()) {
            if records.iter().all(|record| record.version != version) {
                records.push(self.models.get_version(&model.name, version).await?);
            }
        }
        Ok(records)
    }

    async fn load_version(&self, name: &Identifier, record: &ModelRecord) {
        {
            let mut catalogue = self.catalogue_mut();
            let versions = &mut catalogue.models.entry(name.to_string()).or_default().versions;
            // What failed stays failed until somebody asks for it: trying every two seconds helps nobody.
            if versions.contains_key(&record.version) {
                return;
            }
            versions.insert(record.version, VersionState::Loading);
        }
        let state = match self.open(name, record).await {
            Ok(served) => {
                tracing::info!(model = %name, version = %record.version, provider = %served.model.provider(), "version ready");
                VersionState::Ready(Arc::new(served))
            }
            Err(error) => {
                tracing::error!(model = %name, version = %record.version, %error, "version cannot be loaded");
                VersionState::Unavailable(error.to_string())
            }
        };
        let mut catalogue = self.catalogue_mut();
        catalogue.models.entry(name.to_string()).or_default().versions.insert(record.version, state);
    }

    async fn open(&self, name: &Identifier, record: &ModelRecord) -> Result<Served, RepositoryError> {
        let file = gifthorse_store::MODEL_FILE.parse()?;
        let onnx = self.models.read_file(record, &file).await?;
        let options = ModelOptions {
            instances: self.batching.instances,
            threads: self.batching.threads,
            max_batch_rows: self.batching.max_rows,
            max_delay: self.batching.max_delay,
            queue_rows: self.batching.queue_rows,
            execution: self.execution,
            ..ModelOptions::new(format!("{name} version {}", record.version))
        };
        let model = self.engine.load(onnx, options).await?;
        Ok(Served { name: name.clone(), version: record.version, record: record.clone(), model })
    }

    /// Lets a version answer for the model's name, if it is ready; else the one before goes on.
    fn promote(&self, name: &Identifier, version: Option<Version>, withdrawn: bool) {
        let mut catalogue = self.catalogue_mut();
        let Some(model) = catalogue.models.get_mut(name.as_str()) else { return };
        let ready = |version: &Version| model.versions.get(version).is_some_and(VersionState::is_ready);
        if withdrawn || version.is_none() {
            model.promoted = None;
        } else if version.as_ref().is_some_and(ready) {
            model.promoted = version;
        } else if !model.promoted.as_ref().is_some_and(ready) {
            // Nothing answers: name the version that should, so that the answer says why it does not.
            model.promoted = version;
        }
    }

    async fn unload_others(&self, name: &Identifier, keep: &BTreeSet<Version>) {
        let mut leaving = Vec::new();
        {
            let mut catalogue = self.catalogue_mut();
            let Some(model) = catalogue.models.get_mut(name.as_str()) else { return };
            let promoted = model.promoted;
            for (version, state) in &mut model.versions {
                if keep.contains(version) || promoted == Some(*version) {
                    continue;
                }
                if let VersionState::Ready(served) = std::mem::replace(state, VersionState::Unloading) {
                    leaving.push(served);
                }
            }
        }
        for served in &leaving {
            served.model.unload().await;
            tracing::info!(model = %name, version = %served.version, "version unloaded");
        }
        let mut catalogue = self.catalogue_mut();
        if let Some(model) = catalogue.models.get_mut(name.as_str()) {
            let withdrawn = model.withdrawn;
            model.versions.retain(|_, state| withdrawn || !matches!(state, VersionState::Unloading));
            for state in model.versions.values_mut().filter(|state| matches!(state, VersionState::Unloading))
            {
                *state = VersionState::Unavailable("unloaded on request".to_owned());
            }
        }
    }

    /// Follows the store until the service stops. `loaded` is set after the first round.
    pub(crate) async fn follow(
        self: Arc<Self>,
        loaded: Latch,
        stop: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(self.configuration.refresh);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return Ok(()),
            }
            match self.follow_once().await {
                Ok(()) => loaded.set(),
                Err(error) => tracing::warn!(%error, "the store cannot be followed, trying again"),
            }
        }
    }

    async fn follow_once(self: &Arc<Self>) -> Result<(), RepositoryError> {
        let mut names: BTreeSet<Identifier> = BTreeSet::new();
        let mut token = String::new();
        loop {
            let page = self.models.list(&PageRequest::new(PageRequest::MAX_SIZE as i32, token)?).await?;
            names.extend(page.items.into_iter().map(|model| model.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let loaded: Vec<String> = self.catalogue().models.keys().cloned().collect();
        for name in loaded {
            names.insert(name.parse()?);
        }
        for name in names {
            if let Err(error) = self.reconcile_apart(&name, &[]).await {
                tracing::warn!(model = %name, %error, "a model cannot be followed, trying again");
            }
        }
        Ok(())
    }

    fn turn(&self, name: &Identifier) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(name.clone()).or_default())
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalogue_mut(&self) -> RwLockWriteGuard<'_, Catalogue> {
        self.catalogue.write().unwrap_or_else(PoisonError::into_inner)
    }
}
