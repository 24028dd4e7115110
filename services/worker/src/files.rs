//! Files between the artefact store and the attempt's own folder.

use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{DatasetName, Identifier, ModelName};
use gifthorse_api::v1;
use gifthorse_store::{
    Artefacts, CheckpointContents, Checkpoints, Contents, FileName, MODEL_FILE, Store, StoredFile,
    StoredFiles, checkpoint_name,
};

use crate::engine::{Assignment, DatasetInput, EngineFault, ModelInput, Saved, Stage, TriggeredInput};

/// Fetches everything that a job works on.
pub(crate) async fn fetch(
    store: &Store,
    job: Identifier,
    specification: v1::PruningSpecification,
    scratch: &Path,
) -> Result<Assignment, EngineFault> {
    let name: ModelName = specification.model.parse().map_err(|error| EngineFault::of(&error))?;
    let version = name.version.ok_or_else(|| {
        let message = format!("{name} names no version: the trainer resolves it before a job is queued");
        EngineFault::internal(ErrorCode::Internal, message)
    })?;
    let models = store.models();
    let record = models.get_version(&name.model, version).await.map_err(|error| EngineFault::of(&error))?;
    let onnx = scratch.join(MODEL_FILE);
    let file: FileName = MODEL_FILE.parse().map_err(|error| EngineFault::of(&error))?;
    models.fetch_file(&record, &file, &onnx).await.map_err(|error| EngineFault::of(&error))?;

    let clean = dataset(store, &specification.clean_dataset, scratch.join("clean")).await?;
    let mut triggered = Vec::new();
    for (index, set) in specification.triggered.iter().enumerate() {
        let images = dataset(store, &set.dataset, scratch.join(format!("triggered-{index}"))).await?;
        triggered.push(TriggeredInput { images, target: set.target });
    }
    let unlearn = match specification.unlearn_dataset.as_str() {
        "" => None,
        name => Some(dataset(store, name, scratch.join("unlearn")).await?),
    };
    let work = scratch.join("work");
    make(&work)?;
    Ok(Assignment {
        job,
        specification,
        model: ModelInput { record, onnx },
        clean,
        triggered,
        unlearn,
        scratch: work,
    })
}

async fn dataset(store: &Store, name: &str, folder: PathBuf) -> Result<DatasetInput, EngineFault> {
    let DatasetName(name) = name.parse().map_err(|error| EngineFault::of(&error))?;
    let datasets = store.datasets();
    let record = datasets.get(&name).await.map_err(|error| EngineFault::of(&error))?;
    fetch_all(&datasets, &record, &folder).await?;
    Ok(DatasetInput { record, folder })
}

async fn fetch_all<C: Contents>(
    artefacts: &Artefacts<C>,
    record: &gifthorse_store::ArtefactRecord<C>,
    folder: &Path,
) -> Result<(), EngineFault> {
    make(folder)?;
    for file in record.files.keys() {
        let to = folder.join(file.as_str());
        artefacts.fetch_file(record, file, &to).await.map_err(|error| EngineFault::of(&error))?;
    }
    Ok(())
}

/// Fetches a checkpoint; none when it is not of this release or is no longer there, as the start is always
/// somewhere to go on from.
pub(crate) async fn fetch_checkpoint(
    checkpoints: &Checkpoints,
    job: &Identifier,
    checkpoint: &v1::Checkpoint,
    scratch: &Path,
) -> Option<Saved> {
    let stage = Stage::named(&checkpoint.stage)?;
    let done = u64::try_from(checkpoint.done).ok()?;
    let files = checkpoint.files.iter().map(stored).collect::<Option<StoredFiles>>()?;
    let record = checkpoints.get(&checkpoint_name(job, &files)?).await.ok()?;
    let folder = scratch.join("saved");
    fetch_all(checkpoints, &record, &folder).await.ok()?;
    Some(Saved { stage, done, folder })
}

/// Stores a checkpoint's files; the same files are stored once.
pub(crate) async fn store_checkpoint(
    checkpoints: &Checkpoints,
    job: &Identifier,
    stage: Stage,
    done: u64,
    folder: &Path,
) -> Result<v1::Checkpoint, EngineFault> {
    let named = files_in(folder)?;
    let mut files = StoredFiles::new();
    // The name follows from the digests, which are known once everything is written.
    for (name, path) in &named {
        files.insert(name.clone(), digest(path).await?);
    }
    let name = checkpoint_name(job, &files).ok_or_else(|| {
        EngineFault::internal(
            ErrorCode::Internal,
            format!("the name of {job} leaves no room for a checkpoint's"),
        )
    })?;
    let mut writer = checkpoints.begin(&name, None);
    for (file, path) in &named {
        writer.put_path(file.clone(), path).await.map_err(|error| EngineFault::of(&error))?;
    }
    let contents = CheckpointContents { job: job.clone(), stage: stage.name().to_owned(), done };
    let record = writer.commit(contents).await.map_err(|error| EngineFault::of(&error))?.into_record();
    let files = record.files.iter().map(|(name, file)| message(name, file)).collect();
    Ok(v1::Checkpoint { stage: stage.name().to_owned(), done: done as i64, files })
}

/// The files of a folder, by name.
pub(crate) fn files_in(folder: &Path) -> Result<Vec<(FileName, PathBuf)>, EngineFault> {
    let failed = |error: &std::io::Error| EngineFault::file("read", folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name.parse().map_err(|error| EngineFault::of(&error))?, entry.path()));
    }
    files.sort();
    Ok(files)
}

async fn digest(path: &Path) -> Result<StoredFile, EngineFault> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(&owned)?;
        gifthorse_store::StoredFile::of(&mut file)
    });
    let read = read.await.map_err(|error| EngineFault::internal(ErrorCode::Internal, error.to_string()))?;
    read.map_err(|error| EngineFault::file("read", path, &error))
}

fn stored(file: &v1::ArtefactFile) -> Option<(FileName, StoredFile)> {
    let size = u64::try_from(file.size).ok()?;
    Some((file.file_name.parse().ok()?, StoredFile { size, sha256: file.sha256.parse().ok()? }))
}

fn message(name: &FileName, file: &StoredFile) -> v1::ArtefactFile {
    v1::ArtefactFile { file_name: name.to_string(), size: file.size as i64, sha256: file.sha256.to_string() }
}

pub(crate) fn make(folder: &Path) -> Result<(), EngineFault> {
    std::fs::create_dir_all(folder).map_err(|error| EngineFault::file("make", folder, &error))
}
