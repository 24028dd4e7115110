//! The `Models` service.

mod export;
mod import;
mod link;
mod record;

use std::sync::Arc;

use gifthorse_api::name::{Identifier, ModelName, NameError, Version};
use gifthorse_api::status::{invalid_field, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::models_server::Models as ModelsRpc;
use gifthorse_store::{
    ModelRecord, Models, PageRequest, Promotion, PromotionCondition, PromotionRequest, StoreError,
    SuspectRule,
};
use tonic::{Request, Response, Status, Streaming};

use crate::repository::Repository;
use export::{Exporter, Pieces};
pub(crate) use import::Importer;
pub(crate) use link::Linker;

/// Serves `gifthorse.v1.Models`.
#[derive(Debug, Clone)]
pub(crate) struct ModelsService {
    models: Models,
    repository: Arc<Repository>,
    importer: Importer,
    linker: Linker,
    exporter: Exporter,
}

impl ModelsService {
    pub(crate) fn new(importer: Importer, linker: Linker) -> Self {
        let (models, repository) = (importer.models.clone(), Arc::clone(&importer.repository));
        let exporter = Exporter { models: models.clone(), quarantine: importer.quarantine.clone() };
        Self { models, repository, importer, linker, exporter }
    }

    async fn promoted(&self, model: &Identifier) -> Result<Option<Promotion>, Status> {
        self.models.promoted(model).await.map_err(|error| status_of(&error))
    }

    /// The record of a name; without a version, the promoted one's.
    async fn record(&self, name: &str) -> Result<(ModelRecord, Option<Promotion>), Status> {
        let name: ModelName = parse(name)?;
        let promoted = self.promoted(&name.model).await?;
        let Some(version) = name.version.or_else(|| promoted.as_ref()?.version) else {
            // Nothing is promoted: is there such a model at all?
            self.models.get(&name.model).await.map_err(|error| status_of(&error))?;
            return Err(invalid_field("name", "names a model without a promoted version: name a version"));
        };
        let record = match self.models.get_version(&name.model, version).await {
            // A model that is not there at all is said to be missing, not its version.
            Err(missing @ StoreError::ModelVersionNotFound { .. }) => {
                return Err(match self.models.get(&name.model).await {
                    Err(error) => status_of(&error),
                    Ok(_) => status_of(&missing),
                });
            }
            found => found.map_err(|error| status_of(&error))?,
        };
        Ok((record, promoted))
    }

    fn answer(&self, record: &ModelRecord, promoted: Option<&Promotion>) -> v1::ModelVersion {
        record::version(record, promoted, &self.repository.state(&record.model, record.version))
    }

    async fn model_answer(&self, model: &Identifier) -> Result<v1::Model, Status> {
        let found = self.models.get(model).await.map_err(|error| status_of(&error))?;
        Ok(record::model(&found))
    }

    async fn in_step(&self, model: &Identifier) {
        // The change is stored; if this replica cannot follow now it will at the next round.
        if let Err(error) = self.repository.reconcile_apart(model, &[]).await {
            tracing::warn!(%model, %error, "a change of the store cannot be followed yet");
        }
    }
}

fn parse(name: &str) -> Result<ModelName, Status> {
    name.parse().map_err(|error: NameError| status_of(&error))
}

fn without_version(field: &str, name: &str) -> Result<Identifier, Status> {
    let name = parse(name)?;
    match name.version {
        None => Ok(name.model),
        Some(_) => Err(invalid_field(field, "names a version: give models/NAME")),
    }
}

fn with_version(field: &str, name: &str) -> Result<(Identifier, Version), Status> {
    let name = parse(name)?;
    let version = name
        .version
        .ok_or_else(|| invalid_field(field, "names no version: give models/NAME/versions/VERSION"))?;
    Ok((name.model, version))
}

fn page(size: i32, token: &str) -> Result<PageRequest, Status> {
    PageRequest::new(size, token).map_err(|error| status_of(&error))
}

#[tonic::async_trait]
impl ModelsRpc for ModelsService {
    type ExportModelVersionStream = Pieces;

    async fn import_model(
        &self,
        request: Request<Streaming<v1::ImportModelRequest>>,
    ) -> Result<Response<v1::ModelVersion>, Status> {
        let record = self.importer.clone().import(request.into_inner()).await?;
        let promoted = self.promoted(&record.model).await?;
        Ok(Response::new(self.answer(&record, promoted.as_ref())))
    }

    async fn link_model(
        &self,
        request: Request<v1::LinkModelRequest>,
    ) -> Result<Response<v1::ModelVersion>, Status> {
        let record = self.linker.clone().link(request.into_inner()).await?;
        let promoted = self.promoted(&record.model).await?;
        Ok(Response::new(self.answer(&record, promoted.as_ref())))
    }

    async fn check_linked_model(
        &self,
        request: Request<v1::CheckLinkedModelRequest>,
    ) -> Result<Response<v1::ModelVersion>, Status> {
        let (record, promoted) = self.record(&request.into_inner().name).await?;
        if record.specification.linked.is_none() {
            return Err(invalid_field(
                "name",
                "names a version whose network is here: only links are checked",
            ));
        }
        let checked = self.repository.check_link(&record.model, record.version).await;
        checked.map_err(|error| status_of(&error))?;
        Ok(Response::new(self.answer(&record, promoted.as_ref())))
    }

    async fn get_model(&self, request: Request<v1::GetModelRequest>) -> Result<Response<v1::Model>, Status> {
        let model = without_version("name", &request.into_inner().name)?;
        self.model_answer(&model).await.map(Response::new)
    }

    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let request = request.into_inner();
        let page = page(request.page_size, &request.page_token)?;
        let found = self.models.list(&page).await.map_err(|error| status_of(&error))?;
        for damaged in &found.damaged {
            tracing::error!(error = %damaged, "a model cannot be listed");
        }
        Ok(Response::new(v1::ListModelsResponse {
            models: found.items.iter().map(record::model).collect(),
            next_page_token: found.next_page_token,
        }))
    }

    async fn get_model_version(
        &self,
        request: Request<v1::GetModelVersionRequest>,
    ) -> Result<Response<v1::ModelVersion>, Status> {
        let (record, promoted) = self.record(&request.into_inner().name).await?;
        Ok(Response::new(self.answer(&record, promoted.as_ref())))
    }

    async fn list_model_versions(
        &self,
        request: Request<v1::ListModelVersionsRequest>,
    ) -> Result<Response<v1::ListModelVersionsResponse>, Status> {
        let request = request.into_inner();
        let model = without_version("parent", &request.parent)?;
        let page = page(request.page_size, &request.page_token)?;
        let promoted = self.promoted(&model).await?;
        let found = self.models.list_versions(&model, &page).await.map_err(|error| status_of(&error))?;
        for damaged in &found.damaged {
            tracing::error!(%model, error = %damaged, "a version cannot be listed");
        }
        let versions = found.items.iter().map(|record| self.answer(record, promoted.as_ref()));
        Ok(Response::new(v1::ListModelVersionsResponse {
            model_versions: versions.collect(),
            next_page_token: found.next_page_token,
        }))
    }

    async fn export_model_version(
        &self,
        request: Request<v1::ExportModelVersionRequest>,
    ) -> Result<Response<Pieces>, Status> {
        let request = request.into_inner();
        let (record, _) = self.record(&request.name).await?;
        self.exporter.export(&record, request.format).await.map(Response::new)
    }

    async fn promote_model_version(
        &self,
        request: Request<v1::PromoteModelVersionRequest>,
    ) -> Result<Response<v1::Model>, Status> {
        let request = request.into_inner();
        let (model, version) = with_version("name", &request.name)?;
        let condition = if request.etag.is_empty() {
            PromotionCondition::Always
        } else {
            PromotionCondition::Unchanged(
                request.etag.parse().map_err(|error: StoreError| status_of(&error))?,
            )
        };
        let suspect = if request.keep_suspect { SuspectRule::Origin } else { SuspectRule::None };
        // Existence first, so that a missing version is said to be missing and not to be unready.
        self.models.get_version(&model, version).await.map_err(|error| status_of(&error))?;
        let _hold = self.repository.prepare(&model, version).await.map_err(|error| status_of(&error))?;
        let promotion = PromotionRequest { version, suspect, condition };
        self.models.promote(&model, promotion).await.map_err(|error| status_of(&error))?;
        self.in_step(&model).await;
        self.model_answer(&model).await.map(Response::new)
    }

    async fn delete_model(
        &self,
        request: Request<v1::DeleteModelRequest>,
    ) -> Result<Response<v1::DeleteModelResponse>, Status> {
        let model = without_version("name", &request.into_inner().name)?;
        self.models.delete(&model).await.map_err(|error| status_of(&error))?;
        self.in_step(&model).await;
        Ok(Response::new(v1::DeleteModelResponse {}))
    }

    async fn delete_model_version(
        &self,
        request: Request<v1::DeleteModelVersionRequest>,
    ) -> Result<Response<v1::DeleteModelVersionResponse>, Status> {
        let (model, version) = with_version("name", &request.into_inner().name)?;
        self.models.delete_version(&model, version).await.map_err(|error| status_of(&error))?;
        self.in_step(&model).await;
        Ok(Response::new(v1::DeleteModelVersionResponse {}))
    }
}
