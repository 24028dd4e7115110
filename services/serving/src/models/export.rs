//! `ExportModelVersion`: a version as a file.

use std::path::PathBuf;
use std::pin::Pin;

use futures::{Stream, StreamExt, stream};
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::{invalid_field, not_built, status, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::export_model_version_request::Format;
use gifthorse_api::v1::export_model_version_response::Content;
use gifthorse_network::NetworkDescription;
use gifthorse_quarantine::{PrivateFolder, Quarantine};
use gifthorse_service::transfer;
use gifthorse_store::{MODEL_FILE, ModelRecord, ModelSource, Models, StoreError};
use tonic::Status;

use super::import::{ARCHITECTURE_FILE, source_file};
use crate::foreign::{self, ArchitectureChoice, WriteKeras};

/// The pieces of one export.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<v1::ExportModelVersionResponse, Status>> + Send>>;

/// What exports need.
#[derive(Debug, Clone)]
pub(super) struct Exporter {
    pub(super) models: Models,
    pub(super) quarantine: Quarantine,
}

impl Exporter {
    /// The version in this format, the first piece saying what follows.
    pub(super) async fn export(&self, record: &ModelRecord, format: i32) -> Result<Pieces, Status> {
        let format = Format::try_from(format).map_err(|_| {
            invalid_field("format", &format!("is {format}: say ONNX, KERAS_H5, GUARDED_ONNX or SOURCE"))
        })?;
        if let Some(link) = &record.specification.linked {
            let message = format!(
                "the network of models/{}/versions/{} is at the foreign server {}: export it there",
                record.model, record.version, link.endpoint
            );
            return Err(status(ErrorCode::ExportImpossible, &message));
        }
        let folder = PrivateFolder::create().map_err(|error| status_of(&error))?;
        let file = folder.path().join("file");
        let stem = format!("{}-v{}", record.model, record.version);
        let source = record.specification.provenance.source;
        let name = match format {
            Format::Unspecified | Format::Onnx => {
                self.fetch(record, MODEL_FILE, file.clone()).await?;
                format!("{stem}.onnx")
            }
            Format::Source => {
                self.fetch(record, source_file(source), file.clone()).await?;
                format!("{stem}-{}", source_file(source))
            }
            Format::KerasH5 => {
                self.write_keras(record, &folder).await?;
                let moved = tokio::fs::rename(folder.path().join(foreign::EXPORTED), &file).await;
                moved.map_err(|error| internal(&error))?;
                format!("{stem}.h5")
            }
            Format::GuardedOnnx => {
                return Err(not_built("gifthorse.v1.Models/ExportModelVersion with GUARDED_ONNX"));
            }
        };
        let described = describe(&file, name).await?;
        let first = v1::ExportModelVersionResponse { content: Some(Content::File(described)) };
        let chunks = transfer::send(file, folder).map(|chunk| {
            chunk.map(|chunk| v1::ExportModelVersionResponse { content: Some(Content::Chunk(chunk)) })
        });
        Ok(Box::pin(stream::iter([Ok(first)]).chain(chunks)))
    }

    async fn fetch(&self, record: &ModelRecord, file: &str, to: PathBuf) -> Result<(), Status> {
        let fetched = async { self.models.fetch_file(record, &file.parse()?, &to).await };
        fetched.await.map_err(|error: StoreError| status_of(&error))
    }

    async fn write_keras(&self, record: &ModelRecord, folder: &PrivateFolder) -> Result<(), Status> {
        let provenance = &record.specification.provenance;
        if !matches!(provenance.source, ModelSource::KerasModel | ModelSource::KerasWeights) {
            let message = format!(
                "models/{}/versions/{} did not come from Keras, so its layers have no Keras form: export it as ONNX",
                record.model, record.version
            );
            return Err(status(ErrorCode::ExportImpossible, &message));
        }
        self.fetch(record, MODEL_FILE, folder.path().join(foreign::CONVERTED)).await?;
        self.fetch(record, source_file(provenance.source), folder.path().join(foreign::SOURCE)).await?;
        let architecture = match provenance.architecture.as_deref() {
            None => None,
            Some("json") => {
                let read = async { self.models.read_file(record, &ARCHITECTURE_FILE.parse()?).await };
                let json = read.await.map_err(|error: StoreError| status_of(&error))?;
                Some(ArchitectureChoice::Json(String::from_utf8_lossy(&json).into_owned()))
            }
            Some(name) => Some(ArchitectureChoice::Named(name.to_owned())),
        };
        let description: NetworkDescription =
            serde_json::from_value(record.specification.network.clone()).map_err(|error| internal(&error))?;
        let request = WriteKeras { description, architecture };
        let written = self.quarantine.run_in(folder.path(), foreign::WRITE_KERAS, &request).await;
        written.map_err(|error| status_of(&error))
    }
}

async fn describe(file: &std::path::Path, file_name: String) -> Result<v1::ArtefactFile, Status> {
    let metadata = tokio::fs::metadata(file).await.map_err(|error| internal(&error))?;
    let sha256 = transfer::digest(file).await.map_err(|error| status_of(&error))?;
    Ok(v1::ArtefactFile { file_name, size: metadata.len() as i64, sha256 })
}

fn internal(error: &dyn std::fmt::Display) -> Status {
    status(ErrorCode::Internal, &format!("the export failed: {error}"))
}
