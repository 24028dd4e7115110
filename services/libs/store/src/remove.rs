//! Deleting versions and models.

use gifthorse_api::name::{Identifier, Version};

use crate::error::{Result, StoreError};
use crate::model_folder::ModelFolder;
use crate::models::{Models, existing};
use crate::promotion::Choice;
use crate::request_mark;

impl Models {
    /// Removes a version, even a damaged one. Its number is never used again.
    ///
    /// A version that answers for the model or is its suspect is [`StoreError::InUse`].
    pub async fn delete_version(&self, model: &Identifier, version: Version) -> Result<()> {
        let folder = self.folder(model);
        let mark = folder.mark(version);
        let missing = || StoreError::ModelVersionNotFound { model: model.clone(), version };
        let sealed = folder.objects.read(&mark).await?.ok_or_else(missing)?;
        let record = folder.record(version).await;
        refuse_if_used(&folder, version).await?;
        folder.objects.delete(&mark).await?;
        // See `promote`: whoever promoted it in between must find it again.
        if let Err(error) = refuse_if_used(&folder, version).await {
            folder.objects.create(&mark, sealed).await?;
            return Err(error);
        }
        if let Ok(Some(record)) = record
            && let Some(id) = &record.request_id
        {
            request_mark::forget(&folder, id, &record).await?;
        }
        folder.empty_version(version).await?;
        Ok(())
    }

    /// Removes a model with all its versions. What stays are the claims of its version numbers and the last
    /// entry of its promotion log, so that a later model of this name repeats neither number nor etag.
    pub async fn delete(&self, model: &Identifier) -> Result<()> {
        let folder = self.folder(model);
        existing(model, folder.committed().await?)?;
        let log = folder.promotions();
        if log.latest().await?.is_some() {
            let nothing = Choice { version: None, suspect: None };
            let last =
                log.append(|latest| Ok(latest.and_then(|latest| latest.version).map(|_| nothing))).await?;
            log.forget_before(last.etag).await?;
        }
        // Before the versions: a repeated request must not bring one of them back.
        for request in folder.objects.list(&folder.requests()).await? {
            folder.objects.delete(&request.location).await?;
        }
        for version in folder.committed().await? {
            folder.empty_version(version).await?;
        }
        Ok(())
    }
}

async fn refuse_if_used(folder: &ModelFolder, version: Version) -> Result<()> {
    let Some(latest) = folder.promotions().latest().await? else { return Ok(()) };
    let role = if latest.version == Some(version) {
        "the one that answers"
    } else if latest.suspect == Some(version) {
        "the suspect of a guarded pair"
    } else {
        return Ok(());
    };
    Err(StoreError::InUse { model: folder.model.clone(), version, role })
}
