//! The Open Inference Protocol v2 with Triton's extensions, over the loaded versions.

mod describe;
mod error;
mod infer;
mod tensors;

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference as wire;
use gifthorse_api::inference::grpc_inference_service_server::GrpcInferenceService;
use gifthorse_api::status::{not_built, status, status_of};
use gifthorse_service::{Deadline, Readiness};
use tonic::{Request, Response, Status, Streaming};

pub(crate) use error::ProtocolError;

use crate::configuration::BatchingConfiguration;
use crate::repository::Repository;

/// Requests of one stream that are in the engine at once; more wait in the connection.
const STREAM_WINDOW: usize = 8;

/// What is announced in `ServerMetadata`.
const EXTENSIONS: [&str; 5] = [
    "model_repository",
    "model_repository(unload_dependents)",
    "model_configuration",
    "statistics",
    "binary_tensor_data",
];

/// Serves the protocol.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    repository: Arc<Repository>,
    batching: BatchingConfiguration,
    readiness: Readiness,
}

impl Protocol {
    pub(crate) fn new(
        repository: Arc<Repository>,
        batching: BatchingConfiguration,
        readiness: Readiness,
    ) -> Self {
        Self { repository, batching, readiness }
    }

    /// The model a repository request names. One client dialect puts the name into the first field, where
    /// others put the repository's name; that is understood when the name is one we have.
    fn repository_model(&self, repository: String, model: String) -> Result<String, Status> {
        if !model.is_empty() {
            return Ok(model);
        }
        if self.repository.knows(&repository) {
            return Ok(repository);
        }
        Err(status_of(&ProtocolError::NoModelName { field: "model_name" }))
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<wire::ModelStreamInferResponse, Status>> + Send>>;

#[tonic::async_trait]
impl GrpcInferenceService for Protocol {
    type ModelStreamInferStream = Answers;

    async fn server_live(
        &self,
        _: Request<wire::ServerLiveRequest>,
    ) -> Result<Response<wire::ServerLiveResponse>, Status> {
        Ok(Response::new(wire::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<wire::ServerReadyRequest>,
    ) -> Result<Response<wire::ServerReadyResponse>, Status> {
        let ready = self.readiness.state().is_all_ready();
        Ok(Response::new(wire::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<wire::ModelReadyRequest>,
    ) -> Result<Response<wire::ModelReadyResponse>, Status> {
        let request = request.into_inner();
        let ready = self.repository.is_ready(&request.name, &request.version).await;
        let ready = ready.map_err(|error| status_of(&error))?;
        Ok(Response::new(wire::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<wire::ServerMetadataRequest>,
    ) -> Result<Response<wire::ServerMetadataResponse>, Status> {
        Ok(Response::new(wire::ServerMetadataResponse {
            name: "gifthorse".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<wire::ModelMetadataRequest>,
    ) -> Result<Response<wire::ModelMetadataResponse>, Status> {
        let request = request.into_inner();
        let served =
            self.repository.find_current(&request.name, &request.version).await.map_err(|e| status_of(&e))?;
        let versions = self.repository.ready_versions(&served.name);
        Ok(Response::new(describe::metadata(&served, &versions)))
    }

    async fn model_infer(
        &self,
        request: Request<wire::ModelInferRequest>,
    ) -> Result<Response<wire::ModelInferResponse>, Status> {
        let deadline = Deadline::of(&request);
        infer::infer(&self.repository, request.into_inner(), deadline).await.map(Response::new)
    }

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<wire::ModelInferRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let repository = Arc::clone(&self.repository);
        let deadline = Deadline::of(&request);
        let answers = request.into_inner().map(move |item| {
            let repository = Arc::clone(&repository);
            async move {
                // An item that cannot be read ends the stream; one that is refused is answered in it.
                let item = item?;
                let id = item.id.clone();
                Ok(match infer::infer(&repository, item, deadline).await {
                    Ok(answer) => wire::ModelStreamInferResponse {
                        infer_response: Some(answer),
                        ..wire::ModelStreamInferResponse::default()
                    },
                    Err(refused) => wire::ModelStreamInferResponse {
                        error_message: refused.message().to_owned(),
                        infer_response: Some(wire::ModelInferResponse {
                            id,
                            ..wire::ModelInferResponse::default()
                        }),
                    },
                })
            }
        });
        Ok(Response::new(Box::pin(answers.buffered(STREAM_WINDOW))))
    }

    async fn model_config(
        &self,
        request: Request<wire::ModelConfigRequest>,
    ) -> Result<Response<wire::ModelConfigResponse>, Status> {
        let request = request.into_inner();
        let served =
            self.repository.find_current(&request.name, &request.version).await.map_err(|e| status_of(&e))?;
        let config = Some(describe::configuration(&served, &self.batching));
        Ok(Response::new(wire::ModelConfigResponse { config }))
    }

    async fn model_statistics(
        &self,
        request: Request<wire::ModelStatisticsRequest>,
    ) -> Result<Response<wire::ModelStatisticsResponse>, Status> {
        let request = request.into_inner();
        let chosen = match (request.name.as_str(), request.version.as_str()) {
            ("", "") => self.repository.loaded(),
            ("", version) => {
                let hint = format!("version is {version:?} without a name: name the model too");
                return Err(status(ErrorCode::InvalidField, &hint));
            }
            // Without a version: all that are served, as Triton answers.
            (name, "") => {
                let first = self.repository.find(name, "").map_err(|e| status_of(&e))?;
                self.repository.loaded().into_iter().filter(|served| served.name == first.name).collect()
            }
            (name, version) => vec![self.repository.find(name, version).map_err(|e| status_of(&e))?],
        };
        let model_stats = chosen.iter().map(|served| describe::statistics(served)).collect();
        Ok(Response::new(wire::ModelStatisticsResponse { model_stats }))
    }

    async fn repository_index(
        &self,
        request: Request<wire::RepositoryIndexRequest>,
    ) -> Result<Response<wire::RepositoryIndexResponse>, Status> {
        let only_ready = request.into_inner().ready;
        let models = self
            .repository
            .index()
            .into_iter()
            .filter(|entry| !only_ready || entry.state.is_ready())
            .map(|entry| wire::repository_index_response::ModelIndex {
                name: entry.model,
                version: entry.version.to_string(),
                state: entry.state.as_str().to_owned(),
                reason: entry.state.reason().to_owned(),
            })
            .collect();
        Ok(Response::new(wire::RepositoryIndexResponse { models }))
    }

    async fn repository_model_load(
        &self,
        request: Request<wire::RepositoryModelLoadRequest>,
    ) -> Result<Response<wire::RepositoryModelLoadResponse>, Status> {
        let request = request.into_inner();
        if let Some(parameter) = request.parameters.keys().next() {
            let hint = "models come in through gifthorse.v1.Models/ImportModel; load without parameters";
            return Err(status_of(&ProtocolError::Parameter { parameter: parameter.clone(), hint }));
        }
        let model = self.repository_model(request.repository_name, request.model_name)?;
        self.repository.load(&model).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(wire::RepositoryModelLoadResponse {}))
    }

    async fn repository_model_unload(
        &self,
        request: Request<wire::RepositoryModelUnloadRequest>,
    ) -> Result<Response<wire::RepositoryModelUnloadResponse>, Status> {
        let request = request.into_inner();
        let model = self.repository_model(request.repository_name, request.model_name)?;
        self.repository.unload(&model).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(wire::RepositoryModelUnloadResponse {}))
    }

    async fn system_shared_memory_status(
        &self,
        _: Request<wire::SystemSharedMemoryStatusRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryStatusResponse>, Status> {
        // None can be registered, so none is: load generators ask before they begin.
        Ok(Response::new(wire::SystemSharedMemoryStatusResponse::default()))
    }

    async fn system_shared_memory_register(
        &self,
        _: Request<wire::SystemSharedMemoryRegisterRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryRegisterResponse>, Status> {
        Err(not_built("inference.GRPCInferenceService/SystemSharedMemoryRegister"))
    }

    async fn system_shared_memory_unregister(
        &self,
        _: Request<wire::SystemSharedMemoryUnregisterRequest>,
    ) -> Result<Response<wire::SystemSharedMemoryUnregisterResponse>, Status> {
        Ok(Response::new(wire::SystemSharedMemoryUnregisterResponse {}))
    }

    async fn cuda_shared_memory_status(
        &self,
        _: Request<wire::CudaSharedMemoryStatusRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryStatusResponse>, Status> {
        Ok(Response::new(wire::CudaSharedMemoryStatusResponse::default()))
    }

    async fn cuda_shared_memory_register(
        &self,
        _: Request<wire::CudaSharedMemoryRegisterRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryRegisterResponse>, Status> {
        Err(not_built("inference.GRPCInferenceService/CudaSharedMemoryRegister"))
    }

    async fn cuda_shared_memory_unregister(
        &self,
        _: Request<wire::CudaSharedMemoryUnregisterRequest>,
    ) -> Result<Response<wire::CudaSharedMemoryUnregisterResponse>, Status> {
        Ok(Response::new(wire::CudaSharedMemoryUnregisterResponse {}))
    }

    async fn trace_setting(
        &self,
        _: Request<wire::TraceSettingRequest>,
    ) -> Result<Response<wire::TraceSettingResponse>, Status> {
        Err(not_built("inference.GRPCInferenceService/TraceSetting"))
    }

    async fn log_settings(
        &self,
        _: Request<wire::LogSettingsRequest>,
    ) -> Result<Response<wire::LogSettingsResponse>, Status> {
        Err(not_built("inference.GRPCInferenceService/LogSettings"))
    }
}
