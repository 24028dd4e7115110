//! Files as streams of messages.

use bytes::Bytes;
use futures::Stream;
use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::{import_model_request, upload_dataset_request};
use tonic::transport::Channel;
use tonic::{Response, Status};

/// Bytes of a chunk: half of what is allowed.
const CHUNK: usize = 512 << 10;

/// The first message of an import into `models/NAME`.
pub(crate) fn specification(model: &str) -> v1::ImportModelRequest {
    let specification = v1::ImportModelSpecification {
        model: format!("models/{model}"),
        file_name: "network".to_owned(),
        ..Default::default()
    };
    v1::ImportModelRequest { content: Some(import_model_request::Content::Specification(specification)) }
}

/// A further message of an import.
pub(crate) fn chunk(bytes: impl Into<Bytes>) -> v1::ImportModelRequest {
    v1::ImportModelRequest { content: Some(import_model_request::Content::Chunk(bytes.into())) }
}

/// All messages of an import.
pub(crate) fn messages(model: &str, file: impl Into<Bytes>) -> Vec<v1::ImportModelRequest> {
    let file: Bytes = file.into();
    let chunks = (0..file.len()).step_by(CHUNK).map(|at| chunk(file.slice(at..file.len().min(at + CHUNK))));
    std::iter::once(specification(model)).chain(chunks).collect()
}

/// Imports a file as the next version of `models/NAME`.
pub(crate) async fn import(
    channel: &Channel,
    model: &str,
    file: impl Into<Bytes>,
) -> Result<Response<v1::ModelVersion>, Status> {
    let stream = futures::stream::iter(messages(model, file));
    ModelsClient::new(channel.clone()).import_model(stream).await
}

/// All messages of an upload of a data set, `datasets/NAME`.
pub(crate) fn dataset(
    name: &str,
    file: impl Into<Bytes>,
) -> impl Stream<Item = v1::UploadDatasetRequest> + Send + 'static {
    use upload_dataset_request::Content;
    let file: Bytes = file.into();
    let specification = v1::UploadDatasetSpecification { dataset: name.to_owned(), ..Default::default() };
    let chunks: Vec<_> = file.chunks(CHUNK).map(Bytes::copy_from_slice).map(Content::Chunk).collect();
    let contents = std::iter::once(Content::Specification(specification)).chain(chunks);
    futures::stream::iter(
        contents.map(|content| v1::UploadDatasetRequest { content: Some(content) }).collect::<Vec<_>>(),
    )
}
