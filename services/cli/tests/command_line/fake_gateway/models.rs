//! A repository with the models `lab3` (versions 2 and 1) and `sunglasses`; `taken` cannot be imported,
//! `damaged` cannot be exported whole, `far` is linked, `none` does not exist.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::status;
use gifthorse_api::v1;
use gifthorse_api::v1::import_model_request::Content;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, Streaming};

use super::{Ending, Memory, Seen};

/// What every export consists of.
pub(crate) const EXPORTED: &[u8] = b"a network";

pub(super) struct Models(pub(super) Memory);

fn version(name: &str) -> v1::ModelVersion {
    v1::ModelVersion {
        name: name.to_owned(),
        create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        promoted: true,
        state: v1::model_version::State::Ready.into(),
        class_count: 1283,
        parameter_count: 601_643,
        layers: vec![v1::Layer {
            name: "conv_1".to_owned(),
            kind: "Conv2D".to_owned(),
            ..Default::default()
        }],
        linked_endpoint: name.contains("far").then(v1::LinkedEndpoint::default),
        preprocessing: Some(v1::Preprocessing { height: 55, width: 47, channels: 3, ..Default::default() }),
        ..Default::default()
    }
}

fn model(name: &str) -> v1::Model {
    let promoted_version = format!("{name}/versions/2");
    v1::Model { name: name.to_owned(), promoted_version, version_count: 2, ..Default::default() }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl v1::models_server::Models for Models {
    async fn import_model(
        &self,
        request: Request<Streaming<v1::ImportModelRequest>>,
    ) -> Answer<v1::ModelVersion> {
        let mut stream = request.into_inner();
        let Some(Content::Specification(specification)) =
            stream.message().await?.and_then(|first| first.content)
        else {
            return Err(Status::invalid_argument("no specification"));
        };
        if specification.model == "models/taken" {
            // Without reading any of the file.
            return Err(status(ErrorCode::RequestIdReused, "this id was used with another file"));
        }
        let (mut chunks, mut content) = (Vec::new(), Vec::new());
        loop {
            match stream.message().await {
                Ok(Some(v1::ImportModelRequest { content: Some(Content::Chunk(chunk)) })) => {
                    chunks.push(chunk.len());
                    content.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => return Err(Status::invalid_argument("no chunk")),
                Ok(None) => break,
                Err(status) => {
                    self.0.ended(Ending::BrokenOff);
                    return Err(status);
                }
            }
        }
        self.0.ended(Ending::Complete);
        let reply = version(&format!("{}/versions/1", specification.model));
        self.0.note(Seen::Import { specification, chunks, content });
        Ok(Response::new(reply))
    }

    async fn link_model(&self, request: Request<v1::LinkModelRequest>) -> Answer<v1::ModelVersion> {
        let request = request.into_inner();
        let linked_endpoint = request.endpoint.clone();
        let reply = version(&format!("{}/versions/1", request.model));
        self.0.note(Seen::Link(request));
        Ok(Response::new(v1::ModelVersion { linked_endpoint, ..reply }))
    }

    async fn check_linked_model(
        &self,
        request: Request<v1::CheckLinkedModelRequest>,
    ) -> Answer<v1::ModelVersion> {
        Ok(Response::new(version(&request.into_inner().name)))
    }

    async fn get_model(&self, request: Request<v1::GetModelRequest>) -> Answer<v1::Model> {
        Ok(Response::new(model(&request.into_inner().name)))
    }

    async fn list_models(&self, request: Request<v1::ListModelsRequest>) -> Answer<v1::ListModelsResponse> {
        let (name, next) = match request.into_inner().page_token.as_str() {
            "" => ("models/lab3", "second"),
            _ => ("models/sunglasses", ""),
        };
        let (models, next_page_token) = (vec![model(name)], next.to_owned());
        Ok(Response::new(v1::ListModelsResponse { models, next_page_token }))
    }

    async fn get_model_version(
        &self,
        request: Request<v1::GetModelVersionRequest>,
    ) -> Answer<v1::ModelVersion> {
        let name = request.into_inner().name;
        if name == "models/none" {
            return Err(status(ErrorCode::ModelNotFound, "models/none does not exist"));
        }
        Ok(Response::new(version(&name)))
    }

    async fn list_model_versions(
        &self,
        request: Request<v1::ListModelVersionsRequest>,
    ) -> Answer<v1::ListModelVersionsResponse> {
        let v1::ListModelVersionsRequest { parent, page_token, .. } = request.into_inner();
        let (number, next) = if page_token.is_empty() { (2, "second") } else { (1, "") };
        Ok(Response::new(v1::ListModelVersionsResponse {
            model_versions: vec![version(&format!("{parent}/versions/{number}"))],
            next_page_token: next.to_owned(),
        }))
    }

    type ExportModelVersionStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<v1::ExportModelVersionResponse, Status>>>;

    async fn export_model_version(
        &self,
        request: Request<v1::ExportModelVersionRequest>,
    ) -> Answer<Self::ExportModelVersionStream> {
        use v1::export_model_version_response::Content;

        let request = request.into_inner();
        let sent = if request.name.contains("damaged") { b"a netwerk" } else { EXPORTED };
        let file = v1::ArtefactFile {
            file_name: format!("model.{}", request.format().as_str_name().to_lowercase()),
            size: EXPORTED.len() as i64,
            sha256: hex::encode(Sha256::digest(EXPORTED)),
        };
        let chunks = sent.chunks(4).map(|chunk| Content::Chunk(chunk.to_vec().into()));
        let messages: Vec<_> = std::iter::once(Content::File(file))
            .chain(chunks)
            .map(|content| Ok(v1::ExportModelVersionResponse { content: Some(content) }))
            .collect();
        Ok(Response::new(tokio_stream::iter(messages)))
    }

    async fn promote_model_version(
        &self,
        request: Request<v1::PromoteModelVersionRequest>,
    ) -> Answer<v1::Model> {
        self.0.note(Seen::Promote(request.into_inner().name));
        Ok(Response::new(model("models/lab3")))
    }

    async fn delete_model(
        &self,
        request: Request<v1::DeleteModelRequest>,
    ) -> Answer<v1::DeleteModelResponse> {
        self.0.note(Seen::Delete(request.into_inner().name));
        Ok(Response::new(v1::DeleteModelResponse {}))
    }

    async fn delete_model_version(
        &self,
        request: Request<v1::DeleteModelVersionRequest>,
    ) -> Answer<v1::DeleteModelVersionResponse> {
        self.0.note(Seen::Delete(request.into_inner().name));
        Ok(Response::new(v1::DeleteModelVersionResponse {}))
    }
}
