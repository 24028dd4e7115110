//! Files of weights that a job has made so far.

use std::path::Path;

use crate::engine::EngineFault;

/// Networks in ONNX, and a training that was put down.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Weights {
    /// The best of the tuned candidates so far, channels pruned.
    pub(super) best: Option<Vec<u8>>,
    /// The unpruned network, tuned.
    pub(super) tuned_only: Option<Vec<u8>>,
    /// The triggers that were found, mask and pattern of each, in the order of the state's.
    pub(super) triggers: Vec<f32>,
    /// The expert.
    pub(super) expert: Option<Vec<u8>>,
    /// The training under way when the checkpoint was made.
    pub(super) training: Option<Vec<u8>>,
}

/// The file of the training under way; the stage that trains writes it.
pub(super) const TRAINING: &str = "training.bin";
const BEST: &str = "best.onnx";
const TUNED_ONLY: &str = "tuned-only.onnx";
const TRIGGERS: &str = "triggers.f32";
const EXPERT: &str = "expert.onnx";

impl Weights {
    /// Writes the networks.
    pub(super) fn write(&self, folder: &Path) -> Result<(), EngineFault> {
        let numbers = self.triggers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        let triggers = Some(numbers).filter(|numbers| !numbers.is_empty());
        let files = [
            (BEST, &self.best),
            (TUNED_ONLY, &self.tuned_only),
            (TRIGGERS, &triggers),
            (EXPERT, &self.expert),
        ];
        for (name, bytes) in files {
            if let Some(bytes) = bytes {
                let path = folder.join(name);
                std::fs::write(&path, bytes).map_err(|error| EngineFault::file("write", &path, &error))?;
            }
        }
        Ok(())
    }

    /// Reads what a checkpoint holds.
    pub(super) fn read(folder: &Path) -> Result<Self, EngineFault> {
        let read = |name: &str| {
            let path = folder.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(EngineFault::file("read", &path, &error)),
            }
        };
        let numbers = read(TRIGGERS)?.unwrap_or_default();
        let triggers = numbers.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let (best, tuned_only) = (read(BEST)?, read(TUNED_ONLY)?);
        Ok(Self { best, tuned_only, triggers, expert: read(EXPERT)?, training: read(TRAINING)? })
    }
}
