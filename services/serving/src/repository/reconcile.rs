//! Bringing the engine in step with the store, one model at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use gifthorse_api::name::{Identifier, Version};
use gifthorse_engine::ModelOptions;
use gifthorse_store::{LINK_FILE, MODEL_FILE, Model, ModelRecord, PageRequest, StoreError};

use super::state::{Served, VersionState};
use super::{Repository, RepositoryError, Runner};
use crate::linked::{LinkDocument, LinkedModel};

impl Repository {
    /// Brings one model in step with the store, in a task of its own: a caller that goes away while a
    /// network is being loaded must not leave it half loaded. `wanted` versions are loaded whatever their age.
    pub(crate) async fn reconcile_apart(
        self: &Arc<Self>,
        model: &Identifier,
        wanted: &[Version],
    ) -> Result<(), RepositoryError> {
        let (repository, model, wanted) = (Arc::clone(self), model.clone(), wanted.to_vec());
        let work = async move { repository.reconcile_in_turn(&model, &wanted).await };
        match self.tasks.start("load models", work).await {
            Ok(reconciled) => reconciled,
            Err(ended) if ended.is_panic() => Err(RepositoryError::Panicked),
            Err(_) => Err(RepositoryError::Interrupted),
        }
    }

    async fn reconcile_in_turn(&self, name: &Identifier, wanted: &[Version]) -> Result<(), RepositoryError> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(name.clone()).or_default())
        };
        let reconciled = {
            let _turn = turn.lock().await;
            self.reconcile(name, wanted).await
        };
        // Nobody else holds or waits for this turn: forget it, or names that are no model's would pile up.
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&turn) == 2 {
            turns.remove(name);
        }
        reconciled
    }

    async fn reconcile(&self, name: &Identifier, wanted: &[Version]) -> Result<(), RepositoryError> {
        let model = match self.models.get(name).await {
            Ok(model) => model,
            Err(StoreError::ModelNotFound { .. }) => {
                self.promote(name, None);
                self.unload_others(name, &BTreeSet::new()).await;
                self.catalogue_mut().models.remove(name.as_str());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let withdrawn = self.catalogue_mut().models.entry(name.to_string()).or_default().withdrawn;
        let records = if withdrawn { Vec::new() } else { self.wanted_records(&model, wanted).await? };
        for record in &records {
            self.load_version(name, record).await;
        }
        let promoted = model.promoted.as_ref().and_then(|promotion| promotion.version);
        self.promote(name, promoted.filter(|_| !withdrawn));
        let keep: BTreeSet<Version> = records.iter().map(|record| record.version).collect();
        self.unload_others(name, &keep).await;
        Ok(())
    }

    /// Records of the versions that should answer: the promoted one, its suspect, the newest, those held for a
    /// promotion, and `wanted`.
    /// One that cannot be read does not keep the others from answering.
    async fn wanted_records(
        &self,
        model: &Model,
        wanted: &[Version],
    ) -> Result<Vec<ModelRecord>, RepositoryError> {
        let newest = PageRequest::new(self.configuration.newest_versions.get().into(), "")?;
        let page = self.models.list_versions(&model.name, &newest).await?;
        for damaged in &page.damaged {
            tracing::error!(model = %model.name, error = %damaged, "a version cannot be read");
        }
        let mut records = page.items;
        let (promoted, suspect) =
            model.promoted.as_ref().map_or((None, None), |promotion| (promotion.version, promotion.suspect));
        let held = self.holds.of(&model.name);
        for version in promoted.into_iter().chain(suspect).chain(held).chain(wanted.iter().copied()) {
            if records.iter().any(|record| record.version == version) {
                continue;
            }
            match self.models.get_version(&model.name, version).await.map_err(RepositoryError::from) {
                Ok(record) => records.push(record),
                Err(error) if error.passes() => return Err(error),
                Err(error) => {
                    tracing::error!(model = %model.name, %version, %error, "a version cannot be read");
                }
            }
        }
        Ok(records)
    }

    async fn load_version(&self, name: &Identifier, record: &ModelRecord) {
        {
            let mut catalogue = self.catalogue_mut();
            let versions = &mut catalogue.models.entry(name.to_string()).or_default().versions;
            match versions.get(&record.version) {
                None | Some(VersionState::Delayed(_)) => {}
                // Its owner threads died: what is left answers nothing.
                Some(VersionState::Ready(served)) if served.runner.is_closed() => {}
                // What failed stays failed until somebody asks for it: trying every two seconds helps nobody.
                Some(_) => return,
            }
            versions.insert(record.version, VersionState::Loading);
        }
        self.forget_misses(name);
        let mut attempt = Attempt { repository: self, name, version: record.version, outcome: None };
        attempt.outcome = Some(match self.open(name, record).await {
            Ok(served) => {
                let place = served.runner.place();
                tracing::info!(model = %name, version = %record.version, %place, "version ready");
                VersionState::Ready(Arc::new(served))
            }
            Err(error) if error.passes() => {
                tracing::warn!(model = %name, version = %record.version, %error, "version cannot be loaded yet");
                VersionState::Delayed(error.to_string())
            }
            Err(error) => {
                tracing::error!(model = %name, version = %record.version, %error, "version cannot be loaded");
                VersionState::Unavailable(error.to_string())
            }
        });
    }

    async fn open(&self, name: &Identifier, record: &ModelRecord) -> Result<Served, RepositoryError> {
        let runner = if record.specification.linked.is_some() {
            // Its server is not asked here: one that hangs must not hold up other versions.
            let bytes = self.models.read_file(record, &LINK_FILE.parse()?).await?;
            let document = LinkDocument::from_bytes(&bytes)?;
            let queue_rows = self.batching.queue_rows.get();
            Runner::Linked(Box::new(LinkedModel::new(record, document, &self.link, queue_rows)?))
        } else {
            self.open_network(name, record).await?
        };
        Ok(Served { name: name.clone(), version: record.version, record: record.clone(), runner })
    }

    async fn open_network(&self, name: &Identifier, record: &ModelRecord) -> Result<Runner, RepositoryError> {
        let onnx = self.models.read_file(record, &MODEL_FILE.parse()?).await?;
        let options = ModelOptions {
            instances: self.batching.instances,
            threads: self.batching.threads,
            max_batch_rows: self.batching.max_rows,
            max_delay: self.batching.max_delay,
            queue_rows: self.batching.queue_rows,
            execution: self.execution,
            ..ModelOptions::new(format!("{name} version {}", record.version))
        };
        Ok(Runner::Engine(self.engine.load(onnx, options).await?))
    }

    /// Lets a version answer for the model's name, if it is ready; else the one before goes on.
    fn promote(&self, name: &Identifier, version: Option<Version>) {
        let mut catalogue = self.catalogue_mut();
        let Some(model) = catalogue.models.get_mut(name.as_str()) else { return };
        let ready = |version: &Version| model.versions.get(version).is_some_and(VersionState::is_ready);
        let Some(wanted) = version else {
            model.promoted = None;
            return;
        };
        // When neither answers, the one that should is named, so that the answer says why it does not.
        if ready(&wanted) || !model.promoted.as_ref().is_some_and(ready) {
            model.promoted = Some(wanted);
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
            served.runner.unload().await;
            tracing::info!(model = %name, version = %served.version, "version unloaded");
        }
        let mut catalogue = self.catalogue_mut();
        let Some(model) = catalogue.models.get_mut(name.as_str()) else { return };
        if !model.withdrawn {
            model.versions.retain(|_, state| !matches!(state, VersionState::Unloading));
        }
        for state in model.versions.values_mut().filter(|state| matches!(state, VersionState::Unloading)) {
            *state = VersionState::Unavailable("unloaded on request".to_owned());
        }
    }
}

/// Records what became of loading a version, also when that ends in a panic.
struct Attempt<'a> {
    repository: &'a Repository,
    name: &'a Identifier,
    version: Version,
    outcome: Option<VersionState>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let interrupted = || VersionState::Delayed("loading was interrupted".to_owned());
        let outcome = self.outcome.take().unwrap_or_else(interrupted);
        let mut catalogue = self.repository.catalogue_mut();
        let versions = &mut catalogue.models.entry(self.name.to_string()).or_default().versions;
        versions.insert(self.version, outcome);
    }
}
