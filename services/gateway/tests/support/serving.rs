//! A serving that holds the models `m` and `open`: images of 1 x 2 x 1, three classes, the second one wins.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::model_infer_response::InferOutputTensor;
use gifthorse_api::inference::model_metadata_response::TensorMetadata;
use gifthorse_api::inference::{
    DataType, InferTensorContents, ModelConfig, ModelConfigRequest, ModelConfigResponse, ModelInferRequest,
    ModelInferResponse, ModelMetadataRequest, ModelMetadataResponse, ModelOutput, ServerMetadataResponse,
};
use gifthorse_api::name::{ModelName, Version};
use gifthorse_api::status::{not_built, status, status_of};
use gifthorse_api::v1;
use gifthorse_dataset::preprocessing::Layout;
use gifthorse_dataset::wire::{self, NetworkInput};
use prost::Message;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::fake::Answers;

pub const PROBABILITIES: [f32; 3] = [0.125, 0.75, 0.125];

/// What it is and what it was asked.
#[derive(Default)]
pub struct Serving {
    /// The version that answers; zero for the first one.
    pub promoted: Mutex<u64>,
    /// Versions that are unloaded.
    pub unloaded: Mutex<Vec<String>>,
    /// Inference requests as they came.
    pub asked: Mutex<Vec<(MetadataMap, Bytes)>>,
}

impl Serving {
    /// The inference requests so far.
    pub fn inferences(&self) -> Vec<ModelInferRequest> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(_, message)| ModelInferRequest::decode(message.clone()).unwrap()).collect()
    }

    fn version(&self, model: &str, version: &str) -> Result<String, Status> {
        if model != "m" && model != "open" {
            let message = format!("model {model:?} is not known");
            return Err(status(ErrorCode::ModelNotFound, &message));
        }
        let promoted = (*self.promoted.lock().unwrap()).max(1).to_string();
        let version = if version.is_empty() { promoted } else { version.to_owned() };
        if self.unloaded.lock().unwrap().contains(&version) {
            let message = format!("model {model:?} has no version {version:?} that is served");
            return Err(status(ErrorCode::ModelVersionNotFound, &message));
        }
        Ok(version)
    }

    fn record(&self, message: Bytes) -> Result<v1::ModelVersion, Status> {
        let request = v1::GetModelVersionRequest::decode(message).unwrap();
        let mut name: ModelName = request.name.parse().map_err(|error| status_of(&error))?;
        // Of unloaded versions the record can be read still.
        let promoted = (*self.promoted.lock().unwrap()).max(1);
        if name.model.as_str() != "m" && name.model.as_str() != "open" {
            self.version(name.model.as_str(), "")?;
        }
        name.version = name.version.or(Version::new(promoted));
        let input = NetworkInput { height: 1, width: 2, channels: 1, layout: Layout::Nhwc };
        let record = wire::complete(&v1::Preprocessing::default(), input).unwrap();
        Ok(v1::ModelVersion {
            name: name.to_string(),
            preprocessing: Some(wire::to_message(&record)),
            class_count: 3,
            input: "image".to_owned(),
            output: "probabilities".to_owned(),
            ..v1::ModelVersion::default()
        })
    }

    fn infer(&self, message: Bytes) -> Result<ModelInferResponse, Status> {
        let request = ModelInferRequest::decode(message).unwrap();
        let version = self.version(&request.model_name, &request.model_version)?;
        let input = request.inputs.first().ok_or_else(|| status(ErrorCode::UnknownTensor, "no input"))?;
        if input.shape.len() != 4 || input.shape[1..] != [1, 2, 1] {
            let message = format!("input {:?} has shape {:?}", input.name, input.shape);
            return Err(status(ErrorCode::TensorShape, &message));
        }
        let rows = input.shape[0];
        let values = PROBABILITIES.repeat(rows as usize);
        let mut output = InferOutputTensor {
            name: "probabilities".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![rows, 3],
            ..InferOutputTensor::default()
        };
        let mut raw = Vec::new();
        if request.raw_input_contents.is_empty() {
            let contents = InferTensorContents { fp32_contents: values, ..InferTensorContents::default() };
            output.contents = Some(contents);
        } else {
            raw.push(values.iter().flat_map(|value| value.to_le_bytes()).collect());
        }
        Ok(ModelInferResponse {
            model_name: request.model_name,
            model_version: version,
            id: request.id,
            outputs: vec![output],
            raw_output_contents: raw,
            ..ModelInferResponse::default()
        })
    }

    fn metadata(&self, message: Bytes) -> Result<ModelMetadataResponse, Status> {
        let request = ModelMetadataRequest::decode(message).unwrap();
        let version = self.version(&request.name, &request.version)?;
        let tensor = |name: &str, shape: &[i64]| TensorMetadata {
            name: name.to_owned(),
            datatype: "FP32".to_owned(),
            shape: shape.to_vec(),
        };
        Ok(ModelMetadataResponse {
            name: request.name,
            versions: vec![version],
            platform: "onnxruntime_onnx".to_owned(),
            inputs: vec![tensor("image", &[-1, 1, 2, 1])],
            outputs: vec![tensor("probabilities", &[-1, 3])],
        })
    }

    fn config(&self, message: Bytes) -> Result<ModelConfigResponse, Status> {
        let request = ModelConfigRequest::decode(message).unwrap();
        self.version(&request.name, &request.version)?;
        let output = ModelOutput {
            name: "probabilities".to_owned(),
            data_type: DataType::TypeFp32.into(),
            dims: vec![3],
            ..ModelOutput::default()
        };
        let config = ModelConfig {
            name: request.name,
            max_batch_size: 32,
            output: vec![output],
            ..ModelConfig::default()
        };
        Ok(ModelConfigResponse { config: Some(config) })
    }
}

impl Answers for Serving {
    async fn answer(
        self: Arc<Self>,
        path: String,
        metadata: MetadataMap,
        message: Bytes,
    ) -> Result<Bytes, Status> {
        let answer = match path.as_str() {
            "/gifthorse.v1.Models/GetModelVersion" => self.record(message)?.encode_to_vec(),
            "/inference.GRPCInferenceService/ModelInfer" => {
                self.asked.lock().unwrap().push((metadata, message.clone()));
                self.infer(message)?.encode_to_vec()
            }
            "/inference.GRPCInferenceService/ModelMetadata" => self.metadata(message)?.encode_to_vec(),
            "/inference.GRPCInferenceService/ModelConfig" => self.config(message)?.encode_to_vec(),
            "/inference.GRPCInferenceService/ServerMetadata" => {
                ServerMetadataResponse { name: "made up".to_owned(), ..Default::default() }.encode_to_vec()
            }
            other => return Err(not_built(other)),
        };
        Ok(answer.into())
    }
}
