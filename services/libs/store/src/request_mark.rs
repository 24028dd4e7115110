//! What makes a repeated import harmless: `requests/DIGEST.json`.
//!
//! The mark is created, only if absent, when all files of a version are written and just before its
//! `model.json`; it holds that record. So it decides between two imports of the same request, and whoever
//! finds it without a `model.json` (the importer crashed in between) can finish the commit.

use serde::{Deserialize, Serialize};

use crate::document::Record;
use crate::error::{Result, StoreError};
use crate::model_folder::ModelFolder;
use crate::model_record::ModelRecord;
use crate::objects::Creation;
use crate::request_id::{Request, RequestId};

/// The version that a request made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestMark {
    pub(crate) request: Request,
    pub(crate) record: ModelRecord,
}

impl Record for RequestMark {
    const FORMAT: u32 = 1;

    fn check(&self) -> std::result::Result<(), String> {
        if self.record.request_id.as_ref() != Some(&self.request.id) {
            return Err("its record was made by another request".to_owned());
        }
        self.record.check()
    }
}

/// The version that this request made before; none when it is new. The same id with other content is refused.
pub(crate) async fn earlier(folder: &ModelFolder, request: &Request) -> Result<Option<ModelRecord>> {
    let Some(mark) = folder.objects.record::<RequestMark>(&folder.request(&request.id)).await? else {
        return Ok(None);
    };
    if mark.request != *request {
        return Err(StoreError::RequestIdReused { request_id: request.id.to_string() });
    }
    finish(folder, mark.record).await.map(Some)
}

/// Writes the commit mark of a version whose files are complete, unless it is there.
pub(crate) async fn finish(folder: &ModelFolder, record: ModelRecord) -> Result<ModelRecord> {
    if let Some(committed) = folder.record(record.version).await? {
        return Ok(committed);
    }
    match folder.objects.create_record(&folder.mark(record.version), &record).await? {
        Creation::Created => Ok(record),
        Creation::Taken => Err(StoreError::RecordInvalid {
            path: folder.mark(record.version).to_string(),
            reason: "it appeared while its own import was writing it: nobody else may".to_owned(),
        }),
    }
}

/// Forgets the request that made a version which is being deleted, so that it may be repeated in earnest.
pub(crate) async fn forget(folder: &ModelFolder, id: &RequestId, deleted: &ModelRecord) -> Result<()> {
    let path = folder.request(id);
    match folder.objects.record::<RequestMark>(&path).await? {
        Some(mark) if mark.record.version == deleted.version => folder.objects.delete(&path).await,
        _ => Ok(()),
    }
}
