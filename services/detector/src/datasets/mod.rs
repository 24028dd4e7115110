//! The `Datasets` service.

mod record;
mod upload;

use gifthorse_api::name::{DatasetName, Identifier, NameError};
use gifthorse_api::status::status_of;
use gifthorse_api::v1;
use gifthorse_api::v1::datasets_server::Datasets as DatasetsRpc;
use gifthorse_quarantine::Quarantine;
use gifthorse_service::transfer::UploadLimit;
use gifthorse_store::{Datasets, PageRequest};
use tonic::{Request, Response, Status, Streaming};

use upload::Uploader;

/// Serves `gifthorse.v1.Datasets`.
#[derive(Debug, Clone)]
pub(crate) struct DatasetsService {
    datasets: Datasets,
    uploader: Uploader,
}

impl DatasetsService {
    pub(crate) fn new(datasets: Datasets, quarantine: Quarantine, limit: UploadLimit) -> Self {
        let uploader = Uploader { datasets: datasets.clone(), quarantine, limit };
        Self { datasets, uploader }
    }
}

fn parse(name: &str) -> Result<Identifier, Status> {
    name.parse().map(|DatasetName(name)| name).map_err(|error: NameError| status_of(&error))
}

#[tonic::async_trait]
impl DatasetsRpc for DatasetsService {
    async fn upload_dataset(
        &self,
        request: Request<Streaming<v1::UploadDatasetRequest>>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let record = self.uploader.upload(request.into_inner()).await?;
        Ok(Response::new(record::dataset(&record)))
    }

    async fn get_dataset(
        &self,
        request: Request<v1::GetDatasetRequest>,
    ) -> Result<Response<v1::Dataset>, Status> {
        let name = parse(&request.into_inner().name)?;
        let record = self.datasets.get(&name).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(record::dataset(&record)))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let request = request.into_inner();
        let page =
            PageRequest::new(request.page_size, request.page_token).map_err(|error| status_of(&error))?;
        let found = self.datasets.list(&page).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(v1::ListDatasetsResponse {
            datasets: found.items.iter().map(record::dataset).collect(),
            next_page_token: found.next_page_token,
        }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        let name = parse(&request.into_inner().name)?;
        self.datasets.delete(&name).await.map_err(|error| status_of(&error))?;
        Ok(Response::new(v1::DeleteDatasetResponse {}))
    }
}
