//! `ExportGuardedModel`: blend, network, entropy and threshold as one ONNX file.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_api::v1;
use gifthorse_api::v1::export_guarded_model_response::Content;
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::Blend;
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery::{self, Guard, GuardBlend};
use gifthorse_store::{MODEL_FILE, ModelRecord, Models, PageRequest, Sha256Digest};
use tonic::Status;

use crate::calibration::{Calibrations, Library, Loaded, Part, STRIP_ENTROPY, Specification};
use crate::error::DetectorError;
use crate::network::Networks;
use crate::policy::{calibration_name, guarantee, level};

/// Bytes of one piece.
const CHUNK: usize = 1 << 20;

/// The pieces of one export.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = Result<v1::ExportGuardedModelResponse, Status>> + Send>>;

/// Writes guarded networks.
#[derive(Debug, Clone)]
pub(crate) struct GuardedExporter {
    pub(crate) models: Models,
    pub(crate) calibrations: Calibrations,
    pub(crate) networks: Arc<Networks>,
    pub(crate) library: Arc<Library>,
}

impl GuardedExporter {
    /// The file, the first piece saying what follows.
    pub(crate) async fn export(
        &self,
        request: v1::ExportGuardedModelRequest,
    ) -> Result<Pieces, DetectorError> {
        let name: ModelName = request.model.parse()?;
        let record = self.networks.record(&name).await?;
        if !record.files.iter().any(|(name, _)| name.as_str() == MODEL_FILE) {
            let what = format!("{name} is a linked network: a foreign server holds it, so it has no file");
            return Err(DetectorError::Export(what));
        }
        let calibration = match request.calibration.as_str() {
            "" => self.newest(&record).await?,
            named => calibration_name(named)?,
        };
        let loaded = self.library.load(&calibration).await?;
        if loaded.contents().model_digest != record.digest {
            return Err(DetectorError::Mismatch {
                calibration: calibration.to_string(),
                fault: format!("was made for {}", loaded.network.resource_name()),
                model: name.to_string(),
            });
        }
        let level = level("alpha", request.alpha)?;
        let guarantee = guarantee("confidence", request.confidence)?;
        let part = loaded.part(STRIP_ENTROPY, level, guarantee)?;
        let onnx = self.models.read_file(&record, &MODEL_FILE.parse()?).await?;
        let description: NetworkDescription = serde_json::from_value(record.specification.network.clone())
            .map_err(|_| DetectorError::Internal("reading the network's description"))?;
        let composed = tokio::task::spawn_blocking(move || compose(&onnx, &description, &loaded, &part))
            .await
            .map_err(|_| DetectorError::Internal("composing the guarded network"))??;
        let file_name = format!("{}-v{}-guarded.onnx", record.model, record.version);
        Ok(pieces(file_name, composed))
    }

    /// The newest calibration of this version that holds STRIP's entropy.
    async fn newest(&self, record: &ModelRecord) -> Result<Identifier, DetectorError> {
        let mut newest: Option<(jiff::Timestamp, Identifier)> = None;
        let mut token = String::new();
        loop {
            let page = self.calibrations.list(&PageRequest::new(1000, token)?).await?;
            for found in page.items {
                let contents = &found.contents;
                let fits = contents.model == record.model
                    && contents.model_digest == record.digest
                    && contents.detectors.iter().any(|one| one.name() == STRIP_ENTROPY);
                if fits && newest.as_ref().is_none_or(|(time, _)| *time < found.create_time) {
                    newest = Some((found.create_time, found.name));
                }
            }
            if page.next_page_token.is_empty() {
                break;
            }
            token = page.next_page_token;
        }
        newest.map(|(_, name)| name).ok_or_else(|| {
            DetectorError::Export(format!(
                "models/{}/versions/{} has no calibration with strip_entropy: calibrate it first",
                record.model, record.version
            ))
        })
    }
}

fn compose(
    onnx: &[u8],
    description: &NetworkDescription,
    loaded: &Loaded,
    part: &Part,
) -> Result<Vec<u8>, DetectorError> {
    let Specification::StripEntropy { blend, looks } = &loaded.contents().detectors[part.detectors[0]] else {
        return Err(DetectorError::Internal("finding STRIP's entropy in a calibration"));
    };
    let bank: &OverlayBank = &loaded.bank;
    let ranges = bank.space().ranges();
    let black = || ranges.iter().map(|range| range.black).collect();
    let blend = match blend {
        Blend::Add => GuardBlend::Add { black: black() },
        Blend::AddClamp => {
            GuardBlend::AddClamp { black: black(), white: ranges.iter().map(|range| range.white).collect() }
        }
        Blend::Convex { weight } => GuardBlend::Convex { weight: weight.value() },
    };
    let guard = Guard { bank: bank.images_in(0..looks.total()), blend, threshold: part.threshold.value() };
    Ok(surgery::guarded(onnx, description, &guard)?)
}

fn pieces(file_name: String, file: Vec<u8>) -> Pieces {
    let sha256 = Sha256Digest::of(&file).to_string();
    let described = v1::ArtefactFile { file_name, size: file.len() as i64, sha256 };
    let message = |content| Ok(v1::ExportGuardedModelResponse { content: Some(content) });
    let file = Bytes::from(file);
    let starts = (0..file.len()).step_by(CHUNK);
    let chunks: Vec<_> = starts
        .map(|start| message(Content::Chunk(file.slice(start..file.len().min(start + CHUNK)))))
        .collect();
    Box::pin(stream::iter(std::iter::once(message(Content::File(described))).chain(chunks)))
}
