//! The `PruningJobs` service.

use std::pin::Pin;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use gifthorse_api::name::ModelName;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_job::State;
use gifthorse_api::v1::pruning_jobs_server::PruningJobs;
use gifthorse_store::{RequestId, Store};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{refused, report};
use crate::error::TrainerError;
use crate::queue::{Job, Listing, NewJob, Queue, job_id};
use crate::specification::{self, Checked, SpecificationError, Subject, Surroundings};

/// Lines of a log when the caller does not say.
const LINES: usize = 1000;

/// Serves `gifthorse.v1.PruningJobs`.
#[derive(Debug, Clone)]
pub(crate) struct JobsService {
    pub(crate) queue: Queue,
    pub(crate) store: Store,
    pub(crate) house: House,
    /// Cancelled when streams must end.
    pub(crate) stop: CancellationToken,
}

/// What a plan says of the trainer.
#[derive(Debug, Clone)]
pub(crate) struct House {
    /// Where jobs queue when they do not say.
    pub(crate) queue: String,
    /// The most memory that a worker may have.
    pub(crate) memory_limit: Option<u64>,
    /// Whether somebody must come for the jobs.
    pub(crate) workers_come: bool,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl JobsService {
    async fn create(
        &self,
        request: v1::CreatePruningJobRequest,
    ) -> Result<v1::CreatePruningJobResponse, TrainerError> {
        if !request.request_id.is_empty() {
            request.request_id.parse::<RequestId>()?;
        }
        let specification = request.specification.unwrap_or_default();
        let payload = payload(&specification);
        if !request.validate_only
            && let Some(job) = self.queue.earlier(&request.request_id, &payload).await?
        {
            return Ok(v1::CreatePruningJobResponse { job: Some(job.message()), plan: None });
        }
        let checked = specification::check(specification, self.queue.settings())?;
        self.memory_fits(&checked)?;
        let subject = Subject::find(&self.store, &checked).await?;
        if request.validate_only {
            return self.plan(&checked, &subject).await;
        }
        let new = NewJob {
            model: subject.model.model.clone(),
            request_id: request.request_id,
            payload,
            specification: checked.resolved(&subject),
            within: checked.within,
            keep: checked.keep,
            max_retries: checked.max_retries,
        };
        let job = self.queue.create(new).await?.into_job();
        tracing::info!(job = %job.id, model = %job.specification.model, "job queued");
        Ok(v1::CreatePruningJobResponse { job: Some(job.message()), plan: None })
    }

    async fn plan(
        &self,
        checked: &Checked,
        subject: &Subject,
    ) -> Result<v1::CreatePruningJobResponse, TrainerError> {
        let House { queue, memory_limit, workers_come } = self.house.clone();
        let ahead = self.queue.ahead(checked.specification.priority).await?;
        let surroundings = Surroundings { queue, ahead, memory_limit, workers_come };
        let job = v1::PruningJob { specification: Some(checked.resolved(subject)), ..Default::default() };
        let plan = specification::plan(checked, subject, &surroundings);
        Ok(v1::CreatePruningJobResponse { job: Some(job), plan: Some(plan) })
    }

    fn memory_fits(&self, checked: &Checked) -> Result<(), SpecificationError> {
        let asked = checked.specification.resources.as_ref().map_or(0, |resources| resources.memory_bytes);
        match self.house.memory_limit {
            Some(limit) if u64::try_from(asked).is_ok_and(|asked| asked > limit) => {
                let message =
                    format!("is {asked}, a worker of this trainer may have {limit} (launcher.memory)");
                Err(SpecificationError::field("resources.memory_bytes", message))
            }
            _ => Ok(()),
        }
    }

    async fn list(
        &self,
        request: v1::ListPruningJobsRequest,
    ) -> Result<v1::ListPruningJobsResponse, TrainerError> {
        let model = match request.model.as_str() {
            "" => None,
            name => Some(name.parse::<ModelName>()?.model),
        };
        let known = |state: &i32| match State::try_from(*state) {
            Ok(State::Unspecified) | Err(_) => {
                Err(TrainerError::field("states", format!("holds {state}, which is no state of a job")))
            }
            Ok(state) => Ok(state),
        };
        let states = request.states.iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let listing = Listing::new(model, states, request.page_size, &request.page_token)?;
        let (jobs, next_page_token) = self.queue.list(&listing).await?;
        Ok(v1::ListPruningJobsResponse {
            pruning_jobs: jobs.iter().map(Job::message).collect(),
            next_page_token,
        })
    }

    async fn watch(
        &self,
        request: v1::WatchPruningJobRequest,
    ) -> Result<Answers<v1::WatchPruningJobResponse>, TrainerError> {
        if request.after_sequence < 0 {
            let message = format!("is {}, use 0 or the number of an event", request.after_sequence);
            return Err(TrainerError::field("after_sequence", message));
        }
        let follower = self.queue.follow(&job_id(&request.name)?, request.after_sequence).await?;
        let pages = stream::try_unfold(follower, |mut follower| async move {
            let page = follower.next().await.map_err(refused)?;
            Ok::<_, Status>(page.map(|page| (stream::iter(page.into_iter().map(Ok)), follower)))
        });
        // Whoever watches when the service stops goes on with another one from the last number.
        let stopped = self.stop.clone().cancelled_owned();
        Ok(Box::pin(pages.try_flatten().take_until(stopped)))
    }

    async fn log(
        &self,
        request: v1::GetPruningLogRequest,
    ) -> Result<v1::GetPruningLogResponse, TrainerError> {
        let lines = match usize::try_from(request.lines) {
            Ok(0) => LINES,
            Ok(lines) => lines,
            Err(_) => {
                let message = format!("is {}, use 0 for {LINES} or a positive number", request.lines);
                return Err(TrainerError::field("lines", message));
            }
        };
        let tail = self.queue.log_tail(&job_id(&request.name)?, lines).await?;
        Ok(v1::GetPruningLogResponse { lines: tail.lines, truncated: tail.truncated })
    }
}

/// Digest of a specification: maps have no order on the wire, so they are written in theirs.
fn payload(specification: &v1::PruningSpecification) -> String {
    let mut digest = Sha256::new();
    let mut parameters: Vec<_> = specification.parameters.iter().collect();
    parameters.sort_by_key(|(name, _)| *name);
    for (name, value) in parameters {
        digest.update(format!("{name:?} {value:?};"));
    }
    let mut labels: Vec<_> = specification.labels.iter().collect();
    labels.sort_unstable();
    digest.update(format!("{labels:?}"));
    let rest = v1::PruningSpecification {
        parameters: std::collections::HashMap::new(),
        labels: std::collections::HashMap::new(),
        ..specification.clone()
    };
    digest.update(rest.encode_to_vec());
    hex::encode(digest.finalize())
}

#[tonic::async_trait]
impl PruningJobs for JobsService {
    type WatchPruningJobStream = Answers<v1::WatchPruningJobResponse>;
    type GetPruningReportStream = Answers<v1::GetPruningReportResponse>;

    async fn create_pruning_job(
        &self,
        request: Request<v1::CreatePruningJobRequest>,
    ) -> Result<Response<v1::CreatePruningJobResponse>, Status> {
        self.create(request.into_inner()).await.map(Response::new).map_err(refused)
    }

    async fn get_pruning_job(
        &self,
        request: Request<v1::GetPruningJobRequest>,
    ) -> Result<Response<v1::PruningJob>, Status> {
        let id = job_id(&request.into_inner().name).map_err(refused)?;
        self.queue.get(&id).await.map(|job| Response::new(job.message())).map_err(refused)
    }

    async fn list_pruning_jobs(
        &self,
        request: Request<v1::ListPruningJobsRequest>,
    ) -> Result<Response<v1::ListPruningJobsResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new).map_err(refused)
    }

    async fn cancel_pruning_job(
        &self,
        request: Request<v1::CancelPruningJobRequest>,
    ) -> Result<Response<v1::PruningJob>, Status> {
        let id = job_id(&request.into_inner().name).map_err(refused)?;
        let job = self.queue.cancel(&id).await.map_err(refused)?;
        tracing::info!(job = %id, state = ?job.state, "job cancelled");
        Ok(Response::new(job.message()))
    }

    async fn watch_pruning_job(
        &self,
        request: Request<v1::WatchPruningJobRequest>,
    ) -> Result<Response<Self::WatchPruningJobStream>, Status> {
        self.watch(request.into_inner()).await.map(Response::new).map_err(refused)
    }

    async fn get_pruning_report(
        &self,
        request: Request<v1::GetPruningReportRequest>,
    ) -> Result<Response<Self::GetPruningReportStream>, Status> {
        let id = job_id(&request.into_inner().name).map_err(refused)?;
        let files = report::open(&self.queue, self.store.artefacts(), &id).await.map_err(refused)?;
        Ok(Response::new(Box::pin(files)))
    }

    async fn get_pruning_log(
        &self,
        request: Request<v1::GetPruningLogRequest>,
    ) -> Result<Response<v1::GetPruningLogResponse>, Status> {
        self.log(request.into_inner()).await.map(Response::new).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_the_same_in_whatever_order_maps_come() {
        let parameters = |names: &[&str]| v1::PruningSpecification {
            parameters: names.iter().map(|name| ((*name).to_owned(), 1.5)).collect(),
            model: "models/a".to_owned(),
            ..Default::default()
        };
        let names = ["a", "b", "c", "d", "e", "f"];
        let turned: Vec<&str> = names.iter().rev().copied().collect();
        assert_eq!(payload(&parameters(&names)), payload(&parameters(&turned)));
        assert_ne!(payload(&parameters(&names)), payload(&parameters(&names[1..])));
    }
}
