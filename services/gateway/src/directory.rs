//! What the gateway knows of models: records of versions, and for a while which version is promoted.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, ModelName, Version};
use gifthorse_api::status::{code_of, status};
use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_dataset::wire;
use gifthorse_service::client::Peer;
use gifthorse_service::request::Caller;
use tonic::Status;

use crate::configuration::ModelsConfiguration;

/// How often the promoted version is looked up for one request.
const ATTEMPTS: usize = 4;
/// How often one version is asked for one request: a promotion may have gone away and come back in between,
/// but asking on helps nobody when serving is in trouble.
const ATTEMPTS_OF_ONE: usize = 2;

/// One version, as far as classifying needs it. Immutable, like the version, but for its suspect, which is that of
/// the promotion it was found by.
#[derive(Debug)]
pub(crate) struct KnownVersion {
    pub(crate) model: Identifier,
    pub(crate) version: Version,
    /// The suspect of the guarded pair that this version answers for: the one that detectors watch.
    pub(crate) suspect: Option<Version>,
    pub(crate) preprocessing: Preprocessing,
    /// Count of classes, M; index M is "backdoored".
    pub(crate) class_count: usize,
    pub(crate) class_names: Vec<String>,
    pub(crate) input: String,
    pub(crate) output: String,
}

impl KnownVersion {
    /// Name of a class; empty when the model names none.
    pub(crate) fn class_name(&self, label: usize) -> String {
        self.class_names.get(label).cloned().unwrap_or_default()
    }

    /// `models/NAME/versions/VERSION`.
    pub(crate) fn resource_name(&self) -> String {
        ModelName { model: self.model.clone(), version: Some(self.version) }.to_string()
    }

    /// `models/NAME/versions/VERSION` of the version that detectors watch.
    pub(crate) fn watched_name(&self) -> String {
        let version = self.suspect.unwrap_or(self.version);
        ModelName { model: self.model.clone(), version: Some(version) }.to_string()
    }
}

/// Asks serving for what it does not remember.
#[derive(Debug)]
pub(crate) struct Directory {
    serving: Peer,
    promotion_age: Duration,
    capacity: usize,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    records: HashMap<(Identifier, Version), Arc<KnownVersion>>,
    promoted: HashMap<Identifier, (Arc<KnownVersion>, Instant)>,
}

impl Directory {
    pub(crate) fn new(serving: Peer, configuration: &ModelsConfiguration) -> Self {
        Self {
            serving,
            promotion_age: configuration.promotion_age,
            capacity: configuration.records.get(),
            memory: Mutex::default(),
        }
    }

    /// What `work` makes of the version of this name. When the promoted version was replaced and unloaded after
    /// it had been looked up, `work` is done again with the one that is promoted now.
    pub(crate) async fn answered_by<T, W, F>(
        &self,
        name: &ModelName,
        caller: &Caller,
        work: W,
    ) -> Result<T, Status>
    where
        W: Fn(Arc<KnownVersion>) -> F,
        F: Future<Output = Result<T, Status>>,
    {
        let mut asked = Vec::new();
        loop {
            let version = self.find(name, caller).await?;
            asked.push(version.version);
            let of_this = asked.iter().filter(|number| **number == version.version).count();
            let again = name.version.is_none() && asked.len() < ATTEMPTS && of_this < ATTEMPTS_OF_ONE;
            match work(version).await {
                Err(failed) if again && is_gone(&failed) => self.forget_promotion(&name.model),
                answered => return answered,
            }
        }
    }

    /// The version of this name; without a version, the promoted one.
    async fn find(&self, name: &ModelName, caller: &Caller) -> Result<Arc<KnownVersion>, Status> {
        if let Some(known) = self.remembered(name) {
            return Ok(known);
        }
        let request = caller.request(v1::GetModelVersionRequest { name: name.to_string() });
        let answer = ModelsClient::new(self.serving.channel())
            .max_decoding_message_size(self.serving.message_bytes())
            .get_model_version(request)
            .await
            .map_err(|failed| self.serving.explain(failed))?
            .into_inner();
        let mut known = known_version(answer)?;
        if name.version.is_some() {
            // Whoever names a version asks for it alone.
            known.suspect = None;
        }
        let known = Arc::new(known);
        self.remember(name, &known);
        Ok(known)
    }

    /// Forgets which version of a model is promoted: the one remembered turned out to be gone.
    fn forget_promotion(&self, model: &Identifier) {
        self.memory().promoted.remove(model);
    }

    fn remembered(&self, name: &ModelName) -> Option<Arc<KnownVersion>> {
        let memory = self.memory();
        if let Some(version) = name.version {
            return memory.records.get(&(name.model.clone(), version)).cloned();
        }
        let (known, at) = memory.promoted.get(&name.model)?;
        (at.elapsed() < self.promotion_age).then(|| Arc::clone(known))
    }

    fn remember(&self, name: &ModelName, known: &Arc<KnownVersion>) {
        let mut memory = self.memory();
        // Full memories are rare (a thousand versions in use at one gateway), so starting over is enough.
        if memory.records.len() + memory.promoted.len() >= self.capacity {
            memory.records.clear();
            memory.promoted.clear();
        }
        if name.version.is_some() {
            memory.records.insert((known.model.clone(), known.version), Arc::clone(known));
        } else {
            memory.promoted.insert(known.model.clone(), (Arc::clone(known), Instant::now()));
        }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_gone(failed: &Status) -> bool {
    matches!(code_of(failed), Some(ErrorCode::ModelVersionNotFound | ErrorCode::ModelNotReady))
}

fn known_version(answer: v1::ModelVersion) -> Result<KnownVersion, Status> {
    let broken = |what: &str| {
        status(ErrorCode::Internal, &format!("serving answered a record of {:?} {what}", answer.name))
    };
    let name: ModelName = answer.name.parse().map_err(|_| broken("without a proper name"))?;
    let version = name.version.ok_or_else(|| broken("without a version"))?;
    let suspect = match answer.suspect_version.as_str() {
        "" => None,
        text => {
            text.parse::<ModelName>().map_err(|_| broken("with a suspect without a proper name"))?.version
        }
    };
    let message = answer.preprocessing.as_ref().ok_or_else(|| broken("without preprocessing"))?;
    let preprocessing =
        wire::from_message(message).map_err(|error| broken(&format!("with a wrong record: {error}")))?;
    let class_count =
        usize::try_from(answer.class_count).map_err(|_| broken("with a negative class count"))?;
    Ok(KnownVersion {
        model: name.model,
        version,
        suspect,
        preprocessing,
        class_count,
        class_names: answer.class_names,
        input: answer.input,
        output: answer.output,
    })
}
