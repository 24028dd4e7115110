//! Clearing up after crashes.

use gifthorse_api::name::{Identifier, Version};
use jiff::Timestamp;

use crate::claim::Claim;
use crate::error::{Result, StoreError};
use crate::folder::ABANDONED_AFTER;
use crate::model_folder::{ModelFolder, Slot};
use crate::models::Models;
use crate::request_mark::{self, RequestMark};

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Paths of the files that were removed.
    pub removed: Vec<String>,
    /// Versions whose files were all there and whose commit was finished.
    pub finished: Vec<(Identifier, Version)>,
    /// Imports that are younger than an hour and may still be under way.
    pub under_way: Vec<(Identifier, Version)>,
}

impl Models {
    /// Removes the files of imports that were begun more than an hour ago and never committed; their claims
    /// stay. An import that crashed in the last step of its commit is finished instead.
    pub async fn sweep(&self) -> Result<SweepReport> {
        self.sweep_at(Timestamp::now()).await
    }

    pub(crate) async fn sweep_at(&self, now: Timestamp) -> Result<SweepReport> {
        let mut report = SweepReport::default();
        for model in self.folders().await? {
            let folder = self.folder(&model);
            for (version, slot) in folder.slots().await? {
                if slot.committed || slot.files.is_empty() {
                    continue;
                }
                let claim = match folder.objects.record::<Claim>(&folder.claim(version)).await {
                    Err(StoreError::RecordInvalid { .. }) => None,
                    claim => claim?,
                };
                let begun = claim.as_ref().map_or_else(|| newest(&slot), |claim| claim.time.as_second());
                if now.as_second() - begun <= ABANDONED_AFTER.as_secs() {
                    report.under_way.push((model.clone(), version));
                } else if finish(&folder, version, claim).await? {
                    report.finished.push((model.clone(), version));
                } else {
                    report.removed.extend(folder.empty_version(version).await?);
                }
            }
        }
        Ok(report)
    }
}

/// When the youngest object of a version was written, in seconds of the epoch; for damaged or missing claims.
fn newest(slot: &Slot) -> i64 {
    let objects = slot.files.iter().chain(&slot.claim);
    objects.map(|object| object.last_modified.timestamp()).max().unwrap_or_default()
}

/// Finishes the commit when the request's mark says that this version was complete.
async fn finish(folder: &ModelFolder, version: Version, claim: Option<Claim>) -> Result<bool> {
    let Some(request) = claim.and_then(|claim| claim.request) else { return Ok(false) };
    let mark = match folder.objects.record::<RequestMark>(&folder.request(&request.id)).await {
        Err(StoreError::RecordInvalid { .. }) => None,
        mark => mark?,
    };
    match mark {
        Some(mark) if mark.record.version == version && mark.record.model == folder.model => {
            request_mark::finish(folder, mark.record).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::SignedDuration;

    use super::*;
    use crate::folder::COMMIT_WITHIN;
    use crate::import::{ImportStart, ModelImport};
    use crate::model_record::ModelSpecification;
    use crate::request_id::Request;
    use crate::store::Store;
    use crate::{Contents, DatasetContents, Sha256Digest};

    fn specification() -> ModelSpecification {
        serde_json::from_value(serde_json::json!({
            "preprocessing": {
                "height": 1, "width": 1, "channels": 1, "layout": "nhwc", "channel_order": "grey", "scale": 1.0
            },
            "classes": { "count": 2, "names": [] },
            "tensors": { "input": "x", "output": "y", "logits": "z" },
            "layers": [], "parameter_count": 0, "suspect_classes": null, "network": null,
            "provenance": {
                "source": "onnx", "file_name": "", "producer": "", "architecture": null,
                "softmax_appended": false, "parent": null, "pruning_job": null
            }
        }))
        .unwrap()
    }

    async fn begun(models: &Models, request: Option<Request>) -> ModelImport {
        let start = models.begin_import(&"lab3".parse().unwrap(), request).await.unwrap();
        let ImportStart::New(mut import) = start else { panic!("nothing was imported before") };
        import.put_bytes("model.onnx".parse().unwrap(), Bytes::from_static(b"onnx")).await.unwrap();
        *import
    }

    fn later(age: SignedDuration) -> Timestamp {
        Timestamp::now() + age + SignedDuration::from_secs(2)
    }

    fn memory() -> Store {
        Store::on(std::sync::Arc::new(object_store::memory::InMemory::new()))
    }

    #[tokio::test]
    async fn an_old_import_loses_its_files_but_not_its_number() {
        let models = memory().models();
        drop(begun(&models, None).await);
        let committed = begun(&models, None).await.commit(specification()).await.unwrap().into_record();
        let report = models.sweep_at(later(ABANDONED_AFTER)).await.unwrap();
        assert_eq!(
            report,
            SweepReport { removed: vec!["models/lab3/1/model.onnx".to_owned()], ..SweepReport::default() }
        );
        let again = models.sweep_at(later(ABANDONED_AFTER)).await.unwrap();
        assert_eq!(again, SweepReport::default(), "a claim alone is nothing to sweep");
        let onnx = models.read_file(&committed, &"model.onnx".parse().unwrap()).await.unwrap();
        assert_eq!(onnx, b"onnx".as_slice());
        assert_eq!(begun(&models, None).await.version().number(), 3);
    }

    #[tokio::test]
    async fn a_commit_that_crashed_in_its_last_step_is_finished() {
        let models = memory().models();
        let request = Request { id: "request-1".parse().unwrap(), content: Sha256Digest::of(b"x") };
        let import = begun(&models, Some(request)).await;
        let (model, version) = (import.model().clone(), import.version());
        let record = import.commit(specification()).await.unwrap().into_record();
        let folder = models.folder(&model);
        folder.objects.delete(&folder.mark(version)).await.unwrap();
        assert!(models.get_version(&model, version).await.is_err());
        let report = models.sweep_at(later(ABANDONED_AFTER)).await.unwrap();
        assert_eq!((report.removed.len(), report.finished), (0, vec![(model.clone(), version)]));
        assert_eq!(models.get_version(&model, version).await.unwrap(), record);
    }

    #[tokio::test]
    async fn a_commit_that_a_sweep_could_overtake_is_refused() {
        let models = memory().models();
        let import = begun(&models, None).await;
        let error = import.commit_at(specification(), later(COMMIT_WITHIN)).await.unwrap_err();
        assert!(matches!(error, StoreError::TooSlow { minutes: 45, .. }), "{error}");
        assert!(COMMIT_WITHIN < ABANDONED_AFTER);
    }

    #[tokio::test]
    async fn an_old_upload_is_removed_and_a_committed_one_kept() {
        let datasets = memory().datasets();
        let contents: DatasetContents = serde_json::from_value(serde_json::json!({
            "image_count": 2, "height": 1, "width": 1, "channels": 1, "pixel_type": "uint8",
            "labels": { "class_count": 2, "lowest": 0, "highest": 1 }, "group_count": null,
            "duplicate_count": 0, "source": "npz", "file_name": "a.npz"
        }))
        .unwrap();
        let mut kept = datasets.begin(&"faces".parse().unwrap(), None);
        kept.put_bytes("images".parse().unwrap(), Bytes::from_static(b"kept")).await.unwrap();
        let kept = kept.commit(contents).await.unwrap().into_record();
        let mut dropped = datasets.begin(&"faces".parse().unwrap(), None);
        dropped.put_bytes("images".parse().unwrap(), Bytes::from_static(b"half")).await.unwrap();
        drop(dropped);
        assert!(datasets.sweep().await.unwrap().is_empty());
        let removed = datasets.sweep_at(later(ABANDONED_AFTER)).await.unwrap();
        assert_eq!(removed.len(), 1);
        assert!(removed[0].starts_with(DatasetContents::COLLECTION) && removed[0].ends_with("/images"));
        let content = datasets.read_file(&kept, &"images".parse().unwrap()).await.unwrap();
        assert_eq!(content, b"kept".as_slice());
    }
}
