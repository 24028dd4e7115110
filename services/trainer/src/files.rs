//! Files of the artefact store, as messages name them.

use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use gifthorse_store::{FileName, StoredFile, StoredFiles};

/// The name under which a checkpoint of a job is stored; none when the message cannot be one.
pub(crate) fn checkpoint_name(job: &Identifier, checkpoint: &v1::Checkpoint) -> Option<Identifier> {
    let files = checkpoint.files.iter().map(stored).collect::<Option<StoredFiles>>()?;
    gifthorse_store::checkpoint_name(job, &files)
}

fn stored(file: &v1::ArtefactFile) -> Option<(FileName, StoredFile)> {
    let size = u64::try_from(file.size).ok()?;
    Some((file.file_name.parse().ok()?, StoredFile { size, sha256: file.sha256.parse().ok()? }))
}

/// The message of a stored file.
pub(crate) fn message(name: &FileName, file: &StoredFile) -> v1::ArtefactFile {
    v1::ArtefactFile {
        file_name: name.to_string(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        sha256: file.sha256.to_string(),
    }
}
