//! The `Worker` service.

use std::sync::Arc;

use gifthorse_api::v1;
use gifthorse_api::v1::worker_server::Worker;
use gifthorse_store::Checkpoints;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::refused;
use crate::error::TrainerError;
use crate::files;
use crate::housekeeper::remove_checkpoint;
use crate::launcher::Credentials;
use crate::queue::{Fault, LeaseToken, Queue, State, WorkerRequest, job_id};
use crate::time::timestamp;

/// Events and lines of one report at most: a worker that has more sends several.
const EVENTS: usize = 1000;
const LINES: usize = 1000;
/// How many renewals a worker has for each lease.
const RENEWALS: u32 = 3;

/// Serves `gifthorse.v1.Worker`.
#[derive(Debug, Clone)]
pub(crate) struct WorkerService {
    pub(crate) queue: Queue,
    pub(crate) checkpoints: Checkpoints,
    /// URL of the artefact store, as workers on this machine or elsewhere can use it.
    pub(crate) store: String,
    /// What knows workers by their tokens, where only those get leases.
    pub(crate) credentials: Option<Arc<Credentials>>,
}

impl WorkerService {
    async fn acquire(
        &self,
        request: v1::AcquireLeaseRequest,
        token: Option<&str>,
    ) -> Result<v1::AcquireLeaseResponse, TrainerError> {
        if request.worker.is_empty() {
            return Err(TrainerError::field("worker", "is empty, give the worker's own name"));
        }
        let job = match request.job.as_str() {
            "" => None,
            name => Some(job_id(name)?),
        };
        if let Some(credentials) = &self.credentials {
            credentials.check(token, job.as_ref()).await.inspect_err(|error| {
                tracing::warn!(worker = %request.worker, job = %request.job, %error, "no lease given");
            })?;
        }
        let request = WorkerRequest { worker: request.worker, job, environment: request.environment };
        let Some(leased) = self.queue.acquire(&request).await? else {
            return Ok(v1::AcquireLeaseResponse::default());
        };
        tracing::info!(job = %leased.job.id, worker = %leased.job.worker, "job leased");
        let renew_every = self.queue.settings().lease / RENEWALS;
        Ok(v1::AcquireLeaseResponse {
            lease: leased.token.reveal().to_owned(),
            job: Some(leased.job.message()),
            expire_time: timestamp(leased.job.lease_until),
            renew_every: prost_types::Duration::try_from(renew_every).ok(),
            checkpoint: leased.job.checkpoint,
            store: self.store.clone(),
        })
    }

    async fn checkpoint(&self, request: v1::RecordCheckpointRequest) -> Result<(), TrainerError> {
        let token = LeaseToken::given(&request.lease)?;
        let checkpoint = request.checkpoint.unwrap_or_default();
        if checkpoint.stage.is_empty() {
            return Err(TrainerError::field("checkpoint.stage", "is empty, name the stage"));
        }
        let (job, replaced) = self.queue.record_checkpoint(&token, checkpoint.clone()).await?;
        if let Some(replaced) = replaced
            && files::checkpoint_name(&job, &replaced) != files::checkpoint_name(&job, &checkpoint)
        {
            remove_checkpoint(&self.checkpoints, &job, &replaced).await;
        }
        Ok(())
    }
}

/// The token of a request.
fn bearer(metadata: &MetadataMap) -> Option<String> {
    let header = metadata.get("authorization")?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
}

#[tonic::async_trait]
impl Worker for WorkerService {
    async fn acquire_lease(
        &self,
        request: Request<v1::AcquireLeaseRequest>,
    ) -> Result<Response<v1::AcquireLeaseResponse>, Status> {
        let token = bearer(request.metadata());
        self.acquire(request.into_inner(), token.as_deref()).await.map(Response::new).map_err(refused)
    }

    async fn renew_lease(
        &self,
        request: Request<v1::RenewLeaseRequest>,
    ) -> Result<Response<v1::RenewLeaseResponse>, Status> {
        let token = LeaseToken::given(&request.into_inner().lease).map_err(refused)?;
        let renewed = self.queue.renew(&token).await.map_err(refused)?;
        let expire_time = timestamp(renewed.until);
        Ok(Response::new(v1::RenewLeaseResponse { expire_time, cancel: renewed.cancel }))
    }

    async fn report_events(
        &self,
        request: Request<v1::ReportEventsRequest>,
    ) -> Result<Response<v1::ReportEventsResponse>, Status> {
        let request = request.into_inner();
        let token = LeaseToken::given(&request.lease).map_err(refused)?;
        for (field, found, most) in
            [("events", request.events.len(), EVENTS), ("log_lines", request.log_lines.len(), LINES)]
        {
            if found > most {
                let message = format!("has {found} entries, send at most {most} at once");
                return Err(refused(TrainerError::field(field, message)));
            }
        }
        let reported = self.queue.take_report(&token, request.events, &request.log_lines).await;
        let last_sequence = reported.map_err(refused)?;
        Ok(Response::new(v1::ReportEventsResponse { last_sequence }))
    }

    async fn record_checkpoint(
        &self,
        request: Request<v1::RecordCheckpointRequest>,
    ) -> Result<Response<v1::RecordCheckpointResponse>, Status> {
        self.checkpoint(request.into_inner()).await.map_err(refused)?;
        Ok(Response::new(v1::RecordCheckpointResponse {}))
    }

    async fn complete_job(
        &self,
        request: Request<v1::CompleteJobRequest>,
    ) -> Result<Response<v1::CompleteJobResponse>, Status> {
        let request = request.into_inner();
        let token = LeaseToken::given(&request.lease).map_err(refused)?;
        let job = self.queue.complete(&token, request.job.unwrap_or_default()).await.map_err(refused)?;
        tracing::info!(job = %job.id, version = %job.result.version, "job done");
        Ok(Response::new(v1::CompleteJobResponse {}))
    }

    async fn fail_job(
        &self,
        request: Request<v1::FailJobRequest>,
    ) -> Result<Response<v1::FailJobResponse>, Status> {
        let request = request.into_inner();
        let token = LeaseToken::given(&request.lease).map_err(refused)?;
        let fault = Fault::of(&request.fault.unwrap_or_default());
        let job = self.queue.fail(&token, fault).await.map_err(refused)?;
        let will_retry = job.state == State::Queued;
        tracing::info!(job = %job.id, state = ?job.state, "attempt ended with a fault");
        Ok(Response::new(v1::FailJobResponse { will_retry }))
    }
}
