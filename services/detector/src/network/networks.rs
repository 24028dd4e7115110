//! The networks kept ready, by what they are.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use gifthorse_api::name::{ModelName, Version};
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::Blend;
use gifthorse_defence::input::{InputSpace, PlaneShape};
use gifthorse_engine::{Engine, Execution};
use gifthorse_network::NetworkDescription;
use gifthorse_service::client::Peer;
use gifthorse_store::{MODEL_FILE, ModelRecord, Models, StoreError};
use ndarray::{Array2, Array3, Array4, ArrayView3};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::link::Link;
use super::local::LocalNetwork;
use super::part::Loader;
use super::remote::RemoteNetwork;
use super::run::{Patience, RunError};
use super::space::input_space;
use crate::error::DetectorError;

/// A version's network, ready to be run.
#[derive(Debug)]
pub(crate) struct Watched {
    record: Arc<ModelRecord>,
    space: InputSpace,
    max_rows: NonZeroUsize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Local(LocalNetwork),
    Remote(RemoteNetwork),
}

/// A version and the layer its network is cut at (empty for the default one).
type Key = (ModelName, String);

/// Loads networks once and keeps them.
#[derive(Debug)]
pub(crate) struct Networks {
    models: Models,
    loader: Loader,
    serving: Peer,
    runtime: Handle,
    kept: NonZeroUsize,
    ready: Mutex<HashMap<Key, Arc<OnceCell<Arc<Watched>>>>>,
}

impl Networks {
    /// Keeps at most `kept` networks of the store, run by the engine; linked ones are run through serving.
    pub(crate) fn new(
        models: Models,
        engine: Engine,
        execution: Execution,
        max_rows: NonZeroUsize,
        serving: Peer,
        kept: NonZeroUsize,
    ) -> Self {
        let loader = Loader { engine, execution, max_rows };
        Self { models, loader, serving, runtime: Handle::current(), kept, ready: Mutex::default() }
    }

    pub(super) const fn models(&self) -> &Models {
        &self.models
    }

    pub(super) const fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The version named, or the one that is watched for `models/NAME`: the suspect of a guarded pair, else the one
    /// that answers.
    pub(crate) async fn version(&self, name: &ModelName) -> Result<Version, DetectorError> {
        if let Some(version) = name.version {
            return Ok(version);
        }
        let promoted = self.models.promoted(&name.model).await?;
        let version = promoted.and_then(|promotion| promotion.suspect.or(promotion.version));
        Ok(version.ok_or_else(|| StoreError::ModelNotFound { model: name.model.clone() })?)
    }

    /// The record of the version named, or of the one that is watched for `models/NAME`.
    pub(crate) async fn record(&self, name: &ModelName) -> Result<ModelRecord, DetectorError> {
        let version = self.version(name).await?;
        Ok(self.models.get_version(&name.model, version).await?)
    }

    /// The repaired network that answers for `models/NAME` while its suspect is watched; none where there is no pair
    /// of this suspect.
    pub(crate) async fn answering(
        &self,
        name: &ModelName,
        suspect: &ModelRecord,
    ) -> Result<Option<Arc<Watched>>, DetectorError> {
        if name.version.is_some() {
            return Ok(None);
        }
        let Some(version) = self.promoted_over(suspect).await? else { return Ok(None) };
        let record = self.models.get_version(&name.model, version).await?;
        self.load(record, "").await.map(Some)
    }

    /// The link of a version whose network a foreign server holds; none for a network that is here.
    pub(crate) fn link(&self, record: &ModelRecord) -> Option<Link> {
        record.specification.linked.as_ref()?;
        let name = ModelName { model: record.model.clone(), version: Some(record.version) };
        Some(Link { serving: self.serving.clone(), name: name.to_string() })
    }

    /// The network of a version, cut at this layer.
    pub(crate) async fn load(&self, record: ModelRecord, layer: &str) -> Result<Arc<Watched>, DetectorError> {
        let name = ModelName { model: record.model.clone(), version: Some(record.version) };
        let cell = self.cell((name, layer.to_owned()));
        let watched = cell.get_or_try_init(|| self.open(record, layer)).await?;
        Ok(Arc::clone(watched))
    }

    fn cell(&self, key: Key) -> Arc<OnceCell<Arc<Watched>>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // Full memories are rare, so starting over is enough; networks in use live on with their users.
        if ready.len() >= self.kept.get() && !ready.contains_key(&key) {
            ready.clear();
        }
        Arc::clone(ready.entry(key).or_default())
    }

    async fn open(&self, record: ModelRecord, layer: &str) -> Result<Arc<Watched>, DetectorError> {
        let name = ModelName { model: record.model.clone(), version: Some(record.version) }.to_string();
        let specification = &record.specification;
        let space = input_space(&specification.preprocessing)?;
        let kind = if record.files.iter().any(|(name, _)| name.as_str() == MODEL_FILE) {
            let onnx = self.models.read_file(&record, &MODEL_FILE.parse()?).await?;
            let description: NetworkDescription = serde_json::from_value(specification.network.clone())
                .map_err(|_| DetectorError::Internal("reading the network's description"))?;
            Kind::Local(self.loader.load(&name, &onnx, &description, layer).await?)
        } else {
            Kind::Remote(RemoteNetwork {
                serving: self.serving.clone(),
                runtime: self.runtime.clone(),
                name,
                model: record.model.to_string(),
                version: record.version.to_string(),
                input: specification.tensors.input.clone(),
                output: specification.tensors.output.clone(),
                classes: specification.classes.count() as usize,
            })
        };
        let max_rows = self.loader.max_rows;
        Ok(Arc::new(Watched { record: Arc::new(record), space, max_rows, kind }))
    }
}

impl Watched {
    /// The version's record.
    pub(crate) fn record(&self) -> &ModelRecord {
        &self.record
    }

    /// `models/NAME/versions/VERSION`.
    pub(crate) fn resource_name(&self) -> String {
        ModelName { model: self.record.model.clone(), version: Some(self.record.version) }.to_string()
    }

    /// How pictures are prepared for it.
    pub(crate) fn preprocessing(&self) -> &Preprocessing {
        &self.record.specification.preprocessing
    }

    /// The space its inputs live in.
    pub(crate) const fn space(&self) -> &InputSpace {
        &self.space
    }

    /// M, the number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.record.specification.classes.count() as usize
    }

    pub(super) const fn max_rows(&self) -> NonZeroUsize {
        self.max_rows
    }

    /// Name of the tensor at which it is cut, or why it cannot be cut.
    pub(crate) fn cut(&self) -> Result<&str, RunError> {
        match &self.kind {
            Kind::Local(local) => local.cut(),
            Kind::Remote(_) => Err(self.no_cut()),
        }
    }

    pub(super) fn logits(&self, inputs: Array4<f32>, patience: &Patience) -> Result<Array2<f32>, RunError> {
        match &self.kind {
            Kind::Local(local) => local.logits(inputs, patience),
            Kind::Remote(remote) => remote.logits(inputs, patience),
        }
    }

    pub(super) fn blending(
        &self,
        image: &ArrayView3<'_, f32>,
        bank: &OverlayBank,
        blend: Blend,
        patience: &Patience,
    ) -> Result<Array3<f32>, RunError> {
        match &self.kind {
            Kind::Local(local) => local.blending(image, bank, blend, patience),
            Kind::Remote(_) => Ok(image.to_owned()),
        }
    }

    pub(super) fn blended(
        &self,
        image: &ArrayView3<'_, f32>,
        bank: &OverlayBank,
        overlays: Range<usize>,
        blend: Blend,
        patience: &Patience,
    ) -> Result<Array2<f32>, RunError> {
        match &self.kind {
            Kind::Local(local) => local.blended(image, bank, overlays, blend, patience),
            Kind::Remote(remote) => remote.logits(blend.copies(image.view(), bank, overlays), patience),
        }
    }

    pub(super) fn activation_shape(&self) -> PlaneShape {
        match &self.kind {
            Kind::Local(local) => local.activation_shape(),
            Kind::Remote(_) => PlaneShape { channels: 0, ..self.space.shape() },
        }
    }

    pub(super) fn prefix(&self, inputs: Array4<f32>, patience: &Patience) -> Result<Array4<f32>, RunError> {
        match &self.kind {
            Kind::Local(local) => local.prefix(inputs, patience),
            Kind::Remote(_) => Err(self.no_cut()),
        }
    }

    pub(super) fn suffix(
        &self,
        activations: Array4<f32>,
        patience: &Patience,
    ) -> Result<Array2<f32>, RunError> {
        match &self.kind {
            Kind::Local(local) => local.suffix(activations, patience),
            Kind::Remote(_) => Err(self.no_cut()),
        }
    }

    fn no_cut(&self) -> RunError {
        let reason = "a foreign server holds it and shows only its answers".to_owned();
        RunError::NoCut { model: self.resource_name(), reason }
    }
}
