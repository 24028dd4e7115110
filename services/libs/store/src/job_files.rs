//! What a pruning job keeps beside its records: where it can go on from, and its report.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use serde::{Deserialize, Serialize};

use crate::artefacts::{Artefacts, Contents};
use crate::stored_file::{StoredFiles, content_digest};

/// The checkpoints of pruning jobs, under `checkpoints/JOB-DIGEST`.
pub type Checkpoints = Artefacts<CheckpointContents>;

/// The reports of pruning jobs, under `reports/JOB`.
pub type JobReports = Artefacts<JobReportContents>;

/// Everything that a successor needs to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointContents {
    /// The job.
    pub job: Identifier,
    /// The stage it was made in.
    pub stage: String,
    /// Units of the stage that were done.
    pub done: u64,
}

impl Contents for CheckpointContents {
    const COLLECTION: &'static str = "checkpoints";
    const MARK: &'static str = "checkpoint.json";
    const FORMAT: u32 = 1;
    const NOT_FOUND: ErrorCode = ErrorCode::ResourceNotFound;

    fn check(&self) -> Result<(), String> {
        if self.stage.is_empty() { Err("it names no stage".to_owned()) } else { Ok(()) }
    }
}

/// What convinces people of a repair, or of its failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobReportContents {
    /// The job.
    pub job: Identifier,
}

impl Contents for JobReportContents {
    const COLLECTION: &'static str = "reports";
    const MARK: &'static str = "report.json";
    const FORMAT: u32 = 1;
    const NOT_FOUND: ErrorCode = ErrorCode::ResourceNotFound;

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Digits of the digest in the name of a checkpoint.
const DIGITS: usize = 16;

/// The name of a checkpoint: that of its job and a digest of its files, so that whoever knows the files finds
/// it, and the same checkpoint is stored once. None when the job's own name leaves no room.
pub fn checkpoint_name(job: &Identifier, files: &StoredFiles) -> Option<Identifier> {
    let digest = content_digest(files).to_string();
    format!("{job}-{}", digest.get(..DIGITS)?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::stored_file::StoredFile;

    #[test]
    fn the_name_follows_from_job_and_files() {
        let file = |text: &[u8]| StoredFile { size: text.len() as u64, sha256: Sha256Digest::of(text) };
        let files = |text: &[u8]| StoredFiles::from([("state".parse().unwrap(), file(text))]);
        let job: Identifier = "job-1".parse().unwrap();
        let name = checkpoint_name(&job, &files(b"a")).unwrap();
        assert!(name.as_str().starts_with("job-1-"), "{name}");
        assert_eq!(checkpoint_name(&job, &files(b"a")).unwrap(), name);
        assert_ne!(checkpoint_name(&job, &files(b"b")).unwrap(), name);
        let long: Identifier = "j".repeat(60).parse().unwrap();
        assert_eq!(checkpoint_name(&long, &files(b"a")), None);
    }
}
