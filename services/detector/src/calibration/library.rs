//! The calibrations kept ready.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_store::ModelRecord;
use tokio::sync::OnceCell;

use super::loaded::Loaded;
use super::record::{BANK_FILE, CalibrationRecord, Calibrations, SCORES_FILE};
use super::specification::{Beside, DetectorSpecification};
use crate::error::DetectorError;
use crate::network::{Networks, Repair};

/// Loads calibrations once and keeps them.
#[derive(Debug)]
pub(crate) struct Library {
    calibrations: Calibrations,
    networks: Arc<Networks>,
    kept: NonZeroUsize,
    ready: Mutex<HashMap<Identifier, Arc<OnceCell<Arc<Loaded>>>>>,
}

impl Library {
    /// Keeps at most so many.
    pub(crate) fn new(calibrations: Calibrations, networks: Arc<Networks>, kept: NonZeroUsize) -> Self {
        Self { calibrations, networks, kept, ready: Mutex::default() }
    }

    /// A calibration, with its files verified by their digests and its network ready.
    pub(crate) async fn load(&self, name: &Identifier) -> Result<Arc<Loaded>, DetectorError> {
        let cell = self.cell(name);
        Ok(Arc::clone(cell.get_or_try_init(|| self.open(name)).await?))
    }

    /// Forgets a calibration that was deleted.
    pub(crate) fn forget(&self, name: &Identifier) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn cell(&self, name: &Identifier) -> Arc<OnceCell<Arc<Loaded>>> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // Full memories are rare, so starting over is enough; calibrations in use live on with their users.
        if ready.len() >= self.kept.get() && !ready.contains_key(name) {
            ready.clear();
        }
        Arc::clone(ready.entry(name.clone()).or_default())
    }

    async fn open(&self, name: &Identifier) -> Result<Arc<Loaded>, DetectorError> {
        let record: CalibrationRecord = self.calibrations.get(name).await?;
        let bank = self.calibrations.read_file(&record, &BANK_FILE.parse()?).await?;
        let scores = self.calibrations.read_file(&record, &SCORES_FILE.parse()?).await?;
        let contents = &record.contents;
        let version = ModelName { model: contents.model.clone(), version: Some(contents.version) };
        let model = self.networks.record(&version).await?;
        if model.digest != contents.model_digest
            || model.specification.preprocessing != contents.preprocessing
        {
            return Err(DetectorError::Mismatch {
                calibration: name.to_string(),
                fault: format!("was made for another network than the one that is {version} now"),
                model: version.to_string(),
            });
        }
        let repair = match contents.detectors.iter().find_map(DetectorSpecification::beside) {
            Some(beside) => {
                let asks_expert =
                    contents.detectors.iter().any(|one| matches!(one, DetectorSpecification::Expert { .. }));
                Some(self.repair(name, &model, beside, asks_expert).await?)
            }
            None => None,
        };
        let network = self.networks.load(model, &contents.layer).await?;
        let loaded = tokio::task::spawn_blocking(move || {
            Loaded::new(record, network, &bank, &scores, repair.as_ref())
        });
        Ok(Arc::new(loaded.await.map_err(|_| DetectorError::Internal("loading a calibration"))??))
    }

    async fn repair(
        &self,
        calibration: &Identifier,
        suspect: &ModelRecord,
        beside: Beside,
        asks_expert: bool,
    ) -> Result<Repair, DetectorError> {
        let repair = self.networks.repair(suspect, beside.version, asks_expert).await?;
        if repair.digest() == beside.digest {
            return Ok(repair);
        }
        let model = ModelName { model: suspect.model.clone(), version: Some(suspect.version) };
        Err(DetectorError::Mismatch {
            calibration: calibration.to_string(),
            fault: format!("was made beside another network than version {} is now", beside.version),
            model: model.to_string(),
        })
    }
}
