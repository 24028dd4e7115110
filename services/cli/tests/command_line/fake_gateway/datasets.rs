//! Describes what it was sent, and lists two data sets, `faces` and `digits`, on two pages.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::status;
use gifthorse_api::v1;
use gifthorse_api::v1::upload_dataset_request::Content;
use tonic::{Request, Response, Status, Streaming};

use super::{Ending, Memory, Seen};

pub(super) struct Datasets(pub(super) Memory);

fn dataset(name: &str) -> v1::Dataset {
    v1::Dataset {
        name: name.to_owned(),
        create_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 }),
        image_count: 149,
        height: 55,
        width: 47,
        channels: 3,
        class_count: 37,
        highest_label: 1282,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl v1::datasets_server::Datasets for Datasets {
    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let mut stream = request.into_inner();
        let Some(Content::Specification(specification)) =
            stream.message().await?.and_then(|first| first.content)
        else {
            return Err(Status::invalid_argument("no specification"));
        };
        let mut content = Vec::new();
        loop {
            match stream.message().await {
                Ok(Some(v1::UploadDatasetRequest { content: Some(Content::Chunk(chunk)) })) => {
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
        let reply = dataset(&specification.dataset);
        self.0.note(Seen::Upload { specification, content });
        Ok(Response::new(reply))
    }

    async fn get_dataset(
        &self,
        request: Request<v1::GetDatasetRequest>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let name = request.into_inner().name;
        if !["datasets/faces", "datasets/digits"].contains(&name.as_str()) && !self.0.has_uploaded(&name) {
            return Err(status(ErrorCode::DatasetNotFound, &format!("{name} does not exist")));
        }
        Ok(Response::new(dataset(&name)))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let (name, next) = match request.into_inner().page_token.as_str() {
            "" => ("datasets/faces", "second"),
            _ => ("datasets/digits", ""),
        };
        let (datasets, next_page_token) = (vec![dataset(name)], next.to_owned());
        Ok(Response::new(v1::ListDatasetsResponse { datasets, next_page_token }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        self.0.note(Seen::Delete(request.into_inner().name));
        Ok(Response::new(v1::DeleteDatasetResponse {}))
    }
}
