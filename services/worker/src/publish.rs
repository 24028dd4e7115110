//! Stores what came out of a job: the report, and the network as a version of its model.
//!
//! Both are stored under the job's name, so that an attempt that repeats what another one did finds it done.
//! Neither counts before the trainer has taken the result; the version is promoted by the trainer alone.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::{Identifier, ModelName};
use gifthorse_api::v1;
use gifthorse_store::{
    Committed, FileName, ImportStart, JobReportContents, JobReports, MODEL_FILE, ModelRecord, Models,
    Request, Sha256Digest, Store, StoreError, StoredFile,
};

use crate::engine::{EngineFault, NewVersion, Outcome};

/// What was stored, so that it can be taken back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    /// The version.
    pub(crate) version: Option<ModelRecord>,
    /// Whether there is a report.
    report: bool,
}

/// Stores the outcome of a job.
pub(crate) async fn store(
    store: &Store,
    job: &Identifier,
    model: &Identifier,
    outcome: &Outcome,
) -> Result<Stored, EngineFault> {
    let mut stored = Stored::default();
    if !outcome.report.is_empty() {
        let stored_report = report(&store.artefacts(), job, &outcome.report).await;
        stored_report.map_err(|error| EngineFault::of(&error))?;
        stored.report = true;
    }
    if let Some(new) = &outcome.version {
        stored.version = Some(version(&store.models(), job, model, new).await?);
    }
    Ok(stored)
}

/// Removes what a job that is cancelled at the last moment has stored; what cannot be removed harms nobody.
pub(crate) async fn take_back(store: &Store, job: &Identifier, stored: &Stored) {
    if stored.report {
        let _ = store.artefacts::<JobReportContents>().delete(job).await;
    }
    if let Some(record) = &stored.version {
        let _ = store.models().delete_version(&record.model, record.version).await;
    }
}

async fn report(
    reports: &JobReports,
    job: &Identifier,
    files: &[(FileName, std::path::PathBuf)],
) -> Result<(), StoreError> {
    loop {
        let mut writer = reports.begin(job, None);
        for (name, path) in files {
            writer.put_path(name.clone(), path).await?;
        }
        match writer.commit(JobReportContents { job: job.clone() }).await {
            // An attempt that was lost after this has left its own, which nobody has seen yet.
            Err(StoreError::AlreadyExists { .. }) => reports.delete(job).await?,
            stored => return stored.map(drop),
        }
    }
}

async fn version(
    models: &Models,
    job: &Identifier,
    model: &Identifier,
    new: &NewVersion,
) -> Result<ModelRecord, EngineFault> {
    let digest = digest_of_network(new)?;
    loop {
        let id = job.to_string().parse().map_err(|error: StoreError| EngineFault::of(&error))?;
        let request = Request { id, content: Sha256Digest::of(job.as_str().as_bytes()) };
        let begun = models.begin_import(model, Some(request)).await;
        let record = match begun.map_err(|error| EngineFault::of(&error))? {
            ImportStart::Earlier(record) => *record,
            ImportStart::New(mut import) => {
                for (name, path) in &new.files {
                    import.put_path(name.clone(), path).await.map_err(|error| EngineFault::of(&error))?;
                }
                let committed = import.commit((*new.specification).clone()).await;
                match committed.map_err(|error| EngineFault::of(&error))? {
                    Committed::New(record) | Committed::Earlier(record) => record,
                }
            }
        };
        if record.digest == digest {
            return Ok(record);
        }
        // An attempt that was lost after this has left other weights, which nobody has seen yet.
        let removed = models.delete_version(model, record.version).await;
        removed.map_err(|error| EngineFault::of(&error))?;
    }
}

fn digest_of_network(new: &NewVersion) -> Result<Sha256Digest, EngineFault> {
    let network = new.files.iter().find(|(name, _)| name.as_str() == MODEL_FILE);
    let (_, path) = network.ok_or_else(|| {
        EngineFault::internal(ErrorCode::Internal, format!("the engine wrote no {MODEL_FILE}"))
    })?;
    let read = std::fs::File::open(path).and_then(|mut file| StoredFile::of(&mut file));
    Ok(read.map_err(|error| EngineFault::file("read", path, &error))?.sha256)
}

/// What the trainer is told of the outcome.
pub(crate) fn message(outcome: &Outcome, stored: &Stored) -> v1::PruningJob {
    let version = stored
        .version
        .as_ref()
        .map(|record| ModelName { model: record.model.clone(), version: Some(record.version) }.to_string());
    let rates = |rates: &std::collections::BTreeMap<String, f64>| {
        rates.iter().map(|(name, rate)| (name.clone(), *rate)).collect()
    };
    v1::PruningJob {
        gate: Some(outcome.gate.clone()),
        version: version.unwrap_or_default(),
        layer: outcome.layer.clone(),
        pruned_channels: i32::try_from(outcome.pruned_channels).unwrap_or(i32::MAX),
        clean_accuracy_before: outcome.clean_accuracy_before,
        clean_accuracy_after: outcome.clean_accuracy_after,
        attack_success_rate_before: rates(&outcome.attack_success_rate_before),
        attack_success_rate_after: rates(&outcome.attack_success_rate_after),
        ..Default::default()
    }
}
