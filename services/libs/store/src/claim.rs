//! The claim of a version number: whoever creates `VERSION/claim.json` owns that folder, for good.

use gifthorse_api::name::Version;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::Record;
use crate::error::{Result, StoreError};
use crate::model_folder::ModelFolder;
use crate::objects::Creation;
use crate::request_id::Request;
use crate::unique_id::UniqueId;

/// How many numbers others may take before our eyes, before we call the store unusable.
const ATTEMPTS: usize = 1000;

/// Who claimed a version number, and when. It outlives the version, so that the number is never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) import_id: UniqueId,
    pub(crate) time: Timestamp,
    pub(crate) request: Option<Request>,
}

impl Record for Claim {
    const FORMAT: u32 = 1;

    fn check(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// Claims the number after the highest one that was ever claimed.
pub(crate) async fn claim_next(folder: &ModelFolder, claim: &Claim) -> Result<Version> {
    let highest = folder.slots().await?.into_keys().next_back();
    let mut number = highest.map_or(0, Version::number);
    for _ in 0..ATTEMPTS {
        let next = number.checked_add(1).and_then(Version::new).ok_or_else(|| StoreError::RecordInvalid {
            path: folder.path().join(number.to_string()).to_string(),
            reason: "no version number is left above it: remove this folder".to_owned(),
        })?;
        if folder.objects.create_record(&folder.claim(next), claim).await? == Creation::Created {
            return Ok(next);
        }
        number = next.number();
    }
    let what = format!("others claimed {ATTEMPTS} versions of {} in a row", folder.model);
    Err(StoreError::Internal { what })
}
