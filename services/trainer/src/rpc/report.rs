//! The report of a job, file by file.

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gifthorse_api::name::Identifier;
use gifthorse_api::v1;
use gifthorse_api::v1::get_pruning_report_response::Content;
use gifthorse_service::transfer::CHUNK;
use gifthorse_store::{FileName, JobReports, StoreError};
use tonic::Status;

use super::refused;
use crate::error::TrainerError;
use crate::files;
use crate::queue::{Queue, state_name};

/// The messages of a report: each file is announced and then sent in chunks. Every file is verified before its
/// first byte goes out.
pub(super) async fn open(
    queue: &Queue,
    reports: JobReports,
    id: &Identifier,
) -> Result<impl Stream<Item = Result<v1::GetPruningReportResponse, Status>> + use<>, TrainerError> {
    let job = queue.get(id).await?;
    let record = match reports.get(id).await {
        // A worker stores the report before it says that its job is done; until then there is none.
        Ok(record) if job.is_over() => record,
        Ok(_) | Err(StoreError::ArtefactNotFound { .. }) => {
            return Err(TrainerError::ReportNotFound { job: job.id, state: state_name(job.state) });
        }
        Err(error) => return Err(error.into()),
    };
    let names: Vec<FileName> = record.files.keys().cloned().collect();
    let messages = stream::iter(names).then(move |name| {
        let (reports, record) = (reports.clone(), record.clone());
        async move {
            let content = reports.read_file(&record, &name).await.map_err(|error| refused(error.into()))?;
            let announced = record.files.get(&name).map(|file| files::message(&name, file));
            let announced = Content::File(announced.unwrap_or_default());
            let all = std::iter::once(announced).chain(chunks(content).map(Content::Chunk));
            Ok::<_, Status>(stream::iter(
                all.map(|content| Ok(v1::GetPruningReportResponse { content: Some(content) })),
            ))
        }
    });
    Ok(messages.try_flatten())
}

fn chunks(mut content: Bytes) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let size = content.len().min(CHUNK);
        (size > 0).then(|| content.split_to(size))
    })
}
