//! `ImportModel`: from a client's stream to a committed, loaded version.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_api::status::{invalid_field, status, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::import_model_request::Content;
use gifthorse_dataset::preprocessing::Layout;
use gifthorse_dataset::wire::{self, NetworkInput};
use gifthorse_network::description::{OutputKind, SourceKind};
use gifthorse_quarantine::{PrivateFolder, Quarantine};
use gifthorse_service::Tasks;
use gifthorse_service::transfer::{self, Received, UploadLimit};
use gifthorse_store::{
    Classes, Committed, ImportStart, LayerRecord, ModelImport, ModelRecord, ModelSource, ModelSpecification,
    Models, OriginalName, PromotionCondition, PromotionRequest, Provenance, Request as StoreRequest,
    RequestId, Sha256Digest, SuspectRule, TensorNames,
};
use prost::Message;
use tonic::{Status, Streaming};

use crate::foreign::{self, ArchitectureChoice, ReadAnswer, ReadNetwork};
use crate::repository::Repository;

/// Name of the stored architecture, for versions that came as weights and Keras JSON.
pub(super) const ARCHITECTURE_FILE: &str = "architecture.json";

/// What imports need.
#[derive(Debug, Clone)]
pub(crate) struct Importer {
    pub(crate) models: Models,
    pub(crate) repository: Arc<Repository>,
    pub(crate) quarantine: Quarantine,
    pub(crate) limit: UploadLimit,
    /// The ONNX Runtime library that the service uses, for the reader.
    pub(crate) library: PathBuf,
    pub(crate) tasks: Tasks,
}

/// A specification whose names and choices are sound.
struct Announced {
    model: Identifier,
    file_name: OriginalName,
    architecture: Option<ArchitectureChoice>,
    read: ReadNetwork,
    message: v1::ImportModelSpecification,
}

impl Importer {
    /// Takes the stream to its end. Dropping the future before the file is read kills the reader and leaves
    /// nothing visible; from then on the import goes on by itself, so that a new model is never left without
    /// a promoted version.
    pub(super) async fn import(
        self,
        mut stream: Streaming<v1::ImportModelRequest>,
    ) -> Result<ModelRecord, Status> {
        let announced = announced(stream.message().await?, self.library.clone())?;
        let folder = PrivateFolder::create().map_err(|error| status_of(&error))?;
        let chunks = stream.map(|message| chunk(message?));
        let received =
            transfer::receive(Box::pin(chunks), &folder.path().join(foreign::SOURCE), self.limit).await?;
        transfer::check_announced(&received, &announced.message.expected_sha256)
            .map_err(|error| status_of(&error))?;

        let found: ReadAnswer = self
            .quarantine
            .run_in(folder.path(), foreign::READ_NETWORK, &announced.read)
            .await
            .map_err(|error| status_of(&error))?;
        let specification = specification(&announced, &found)?;
        let tasks = self.tasks.clone();
        let publish = async move {
            let record = self.store(&announced, &received, &folder, specification).await?;
            self.publish(&record, announced.message.promote).await?;
            Ok(record)
        };
        let ended = tasks.start("publish an import", publish).await;
        ended.map_err(|_| {
            status(ErrorCode::Internal, "the import ended unexpectedly: see the log of serving")
        })?
    }

    /// Loads the version and promotes it, if it is the model's first or was asked to be. A version that is
    /// stored but cannot be loaded here and now is answered with its state, not as an error: it exists.
    pub(super) async fn publish(&self, record: &ModelRecord, promote: bool) -> Result<(), Status> {
        let _hold = match self.repository.prepare(&record.model, record.version).await {
            Ok(hold) => hold,
            Err(error) => {
                tracing::warn!(model = %record.model, version = %record.version, %error, "an imported version is not ready");
                return Ok(());
            }
        };
        self.promote(record, promote).await
    }

    async fn store(
        &self,
        announced: &Announced,
        received: &Received,
        folder: &PrivateFolder,
        specification: ModelSpecification,
    ) -> Result<ModelRecord, Status> {
        let request = request(&announced.message, received)?;
        let started = self.models.begin_import(&announced.model, request).await;
        let mut import = match started.map_err(|error| status_of(&error))? {
            ImportStart::Earlier(record) => return Ok(*record),
            ImportStart::New(import) => import,
        };
        if let Err(error) = put_files(&mut import, announced, folder, &specification).await {
            // What cannot be removed now is removed by a later sweep.
            if let Err(left) = import.abandon().await {
                tracing::warn!(error = %left, "an abandoned import leaves files behind");
            }
            return Err(status_of(&error));
        }
        import.commit(specification).await.map(Committed::into_record).map_err(|error| status_of(&error))
    }

    /// The first version of a model answers at once; later ones when they are asked to.
    async fn promote(&self, record: &ModelRecord, asked: bool) -> Result<(), Status> {
        let condition = if asked { PromotionCondition::Always } else { PromotionCondition::NothingPromoted };
        let request = PromotionRequest { version: record.version, suspect: SuspectRule::None, condition };
        self.models.promote(&record.model, request).await.map_err(|error| status_of(&error))?;
        if let Err(error) = self.repository.reconcile_apart(&record.model, &[]).await {
            tracing::warn!(model = %record.model, %error, "a promotion cannot be followed yet");
        }
        Ok(())
    }
}

async fn put_files(
    import: &mut ModelImport,
    announced: &Announced,
    folder: &PrivateFolder,
    specification: &ModelSpecification,
) -> Result<(), gifthorse_store::StoreError> {
    import.put_path(gifthorse_store::MODEL_FILE.parse()?, &folder.path().join(foreign::CONVERTED)).await?;
    let source = source_file(specification.provenance.source);
    import.put_path(source.parse()?, &folder.path().join(foreign::SOURCE)).await?;
    if let Some(ArchitectureChoice::Json(json)) = &announced.architecture {
        import.put_bytes(ARCHITECTURE_FILE.parse()?, Bytes::from(json.clone())).await?;
    }
    Ok(())
}

/// Name under which the file is kept as it came.
pub(super) const fn source_file(source: ModelSource) -> &'static str {
    match source {
        ModelSource::KerasModel | ModelSource::KerasWeights => "source.h5",
        ModelSource::Onnx | ModelSource::PruningJob => "source.onnx",
        ModelSource::Linked => gifthorse_store::LINK_FILE,
    }
}

fn announced(first: Option<v1::ImportModelRequest>, library: PathBuf) -> Result<Announced, Status> {
    let Some(Content::Specification(message)) = first.and_then(|request| request.content) else {
        return Err(invalid_field("specification", "is missing: the first message says what is coming"));
    };
    let name: ModelName = message.model.parse().map_err(|error| status_of(&error))?;
    if name.version.is_some() {
        return Err(invalid_field("model", "names a version: give models/NAME, the next version is made"));
    }
    let file_name = OriginalName::from(message.file_name.as_str());
    let architecture = match (message.architecture.as_str(), message.architecture_json.as_str()) {
        ("", "") => None,
        (name, "") => Some(ArchitectureChoice::Named(name.to_owned())),
        ("", json) => Some(ArchitectureChoice::Json(json.to_owned())),
        (_, _) => return Err(invalid_field("architecture", "is given beside architecture_json: give one")),
    };
    let preprocessing = message.preprocessing.clone().unwrap_or_default();
    let layout = wire::layout(preprocessing.layout).map_err(|error| status_of(&error))?;
    let input_size = match (u64::try_from(preprocessing.height), u64::try_from(preprocessing.width)) {
        (Ok(0), _) | (_, Ok(0)) => None,
        (Ok(height), Ok(width)) => Some((height, width)),
        _ => return Err(invalid_field("preprocessing", "has a negative height or width")),
    };
    let layout = layout.map(|layout| match layout {
        Layout::Nhwc => gifthorse_network::Layout::Nhwc,
        Layout::Nchw => gifthorse_network::Layout::Nchw,
    });
    let read = ReadNetwork { architecture: architecture.clone(), layout, input_size, library };
    Ok(Announced { model: name.model, file_name, architecture, read, message })
}

fn chunk(message: v1::ImportModelRequest) -> Result<Bytes, Status> {
    match message.content {
        Some(Content::Chunk(chunk)) => Ok(chunk),
        Some(Content::Specification(_)) => Err(invalid_field("specification", "came twice")),
        None => Err(invalid_field("content", "is missing: send a chunk")),
    }
}

fn request(
    message: &v1::ImportModelSpecification,
    received: &Received,
) -> Result<Option<StoreRequest>, Status> {
    if message.request_id.is_empty() {
        return Ok(None);
    }
    let id: RequestId = message.request_id.parse().map_err(|error| status_of(&error))?;
    let mut content = message.encode_to_vec();
    content.extend_from_slice(received.sha256.as_bytes());
    Ok(Some(StoreRequest { id, content: Sha256Digest::of(&content) }))
}

fn specification(announced: &Announced, found: &ReadAnswer) -> Result<ModelSpecification, Status> {
    let network = &found.description;
    let too_large = |field: &str| invalid_field(field, "is beyond what this service counts");
    let side = |field: &str, value: u64| u32::try_from(value).map_err(|_| too_large(field));
    let input = NetworkInput {
        height: side("height", network.height)?,
        width: side("width", network.width)?,
        channels: side("channels", network.channels)?,
        layout: match network.layout {
            gifthorse_network::Layout::Nhwc => Layout::Nhwc,
            gifthorse_network::Layout::Nchw => Layout::Nchw,
        },
    };
    let given = announced.message.preprocessing.clone().unwrap_or_default();
    let preprocessing = wire::complete(&given, input).map_err(|error| status_of(&error))?;
    let classes = Classes::new(side("class_names", network.classes)?, announced.message.class_names.clone())
        .map_err(|message| invalid_field("class_names", &message))?;
    let architecture = announced.architecture.as_ref().map(|choice| match choice {
        ArchitectureChoice::Named(name) => name.clone(),
        ArchitectureChoice::Json(_) => "json".to_owned(),
    });
    Ok(ModelSpecification {
        preprocessing,
        classes,
        tensors: TensorNames {
            input: network.input.clone(),
            output: network.output.clone(),
            logits: network.logits.clone(),
        },
        layers: network
            .layers
            .iter()
            .map(|layer| LayerRecord {
                name: layer.name.clone(),
                kind: layer.kind.clone(),
                output_shape: layer.output_shape.clone(),
                parameter_count: layer.parameters,
                tensor: layer.tensor.clone(),
            })
            .collect(),
        parameter_count: network.parameters,
        provenance: Provenance {
            source: match network.source {
                SourceKind::KerasModel => ModelSource::KerasModel,
                SourceKind::KerasWeights => ModelSource::KerasWeights,
                SourceKind::Onnx => ModelSource::Onnx,
            },
            file_name: announced.file_name.clone(),
            producer: network.producer.clone(),
            architecture,
            softmax_appended: network.output_kind == OutputKind::SoftmaxAppended,
            parent: None,
            pruning_job: None,
        },
        suspect_classes: found.suspects.clone(),
        repair_gate: None,
        network: serde_json::to_value(network).map_err(|error| {
            status(ErrorCode::Internal, &format!("the description has no JSON form: {error}"))
        })?,
        linked: None,
    })
}
