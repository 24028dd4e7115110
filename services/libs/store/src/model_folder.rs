//! Where the parts of a model lie, and what a listing of its folder tells.
//!
//! Layout of `models/NAME/`: `VERSION/{claim.json, model.onnx or link.json, source.*, model.json}`,
//! `promotions/NNNNNNNNNNNN.json`, `requests/DIGEST.json`.

use std::collections::BTreeMap;

use gifthorse_api::name::{Identifier, Version};
use object_store::ObjectMeta;
use object_store::path::Path as ObjectPath;

use crate::error::{Result, StoreError};
use crate::model_record::ModelRecord;
use crate::objects::Objects;
use crate::promotion::PromotionLog;
use crate::request_id::RequestId;

/// The commit mark of a version, and its record.
pub(crate) const MARK: &str = "model.json";
/// The claim of a version number.
pub(crate) const CLAIM: &str = "claim.json";

/// The top folder of all models.
pub(crate) const COLLECTION: &str = "models";
const PROMOTIONS: &str = "promotions";
const REQUESTS: &str = "requests";

/// The folder of all models.
pub(crate) fn root() -> ObjectPath {
    ObjectPath::from(COLLECTION)
}

/// The folder of one model.
#[derive(Debug, Clone)]
pub(crate) struct ModelFolder {
    pub(crate) model: Identifier,
    pub(crate) objects: Objects,
}

impl ModelFolder {
    pub(crate) fn path(&self) -> ObjectPath {
        root().join(self.model.as_str())
    }

    pub(crate) fn version(&self, version: Version) -> ObjectPath {
        self.path().join(version.to_string())
    }

    pub(crate) fn mark(&self, version: Version) -> ObjectPath {
        self.version(version).join(MARK)
    }

    pub(crate) fn claim(&self, version: Version) -> ObjectPath {
        self.version(version).join(CLAIM)
    }

    pub(crate) fn requests(&self) -> ObjectPath {
        self.path().join(REQUESTS)
    }

    pub(crate) fn request(&self, id: &RequestId) -> ObjectPath {
        self.requests().join(id.object_name())
    }

    pub(crate) fn promotions(&self) -> PromotionLog {
        let folder = self.path().join(PROMOTIONS);
        PromotionLog::new(self.objects.clone(), self.model.clone(), folder)
    }

    /// The record of a committed version; none when there is no such version.
    pub(crate) async fn record(&self, version: Version) -> Result<Option<ModelRecord>> {
        let path = self.mark(version);
        let record: Option<ModelRecord> = self.objects.record(&path).await?;
        if let Some(record) = &record
            && (record.model != self.model || record.version != version)
        {
            return Err(StoreError::RecordInvalid {
                path: path.to_string(),
                reason: format!(
                    "it is the record of version {} of {}: a version cannot be copied or renamed",
                    record.version, record.model
                ),
            });
        }
        Ok(record)
    }

    /// Every version number that was ever claimed, from one listing.
    pub(crate) async fn slots(&self) -> Result<BTreeMap<Version, Slot>> {
        let prefix = self.path();
        let mut slots = BTreeMap::<Version, Slot>::new();
        for object in self.objects.list(&prefix).await? {
            let Some(parts) = object.location.prefix_match(&prefix) else { continue };
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            let [folder, name] = parts.as_slice() else { continue };
            let Ok(version) = folder.parse::<Version>() else { continue };
            let slot = slots.entry(version).or_default();
            match name.as_str() {
                CLAIM => slot.claim = Some(object),
                MARK => slot.committed = true,
                _ => slot.files.push(object),
            }
        }
        Ok(slots)
    }

    /// The versions that readers see, rising.
    pub(crate) async fn committed(&self) -> Result<Vec<Version>> {
        let slots = self.slots().await?;
        Ok(slots.into_iter().filter(|(_, slot)| slot.committed).map(|(version, _)| version).collect())
    }

    /// Removes all of a version but its claim, so that its number is never used again.
    pub(crate) async fn empty_version(&self, version: Version) -> Result<Vec<String>> {
        // The mark goes first: from then on nobody looks for the files.
        self.objects.delete(&self.mark(version)).await?;
        let claim = self.claim(version);
        let mut removed = Vec::new();
        for object in self.objects.list(&self.version(version)).await? {
            if object.location != claim {
                self.objects.delete(&object.location).await?;
                removed.push(object.location.to_string());
            }
        }
        Ok(removed)
    }
}

/// One version number of a model.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) claim: Option<ObjectMeta>,
    pub(crate) committed: bool,
    pub(crate) files: Vec<ObjectMeta>,
}
