//! The conversation with the trainer under one lease. What may pass is asked again until the lease is over.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::worker_client::WorkerClient;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::error::WorkerError;

/// How long a first connection is tried.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Pauses between repetitions: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The largest message taken or sent.
const MESSAGE_BYTES: usize = 64 << 20;

/// A lease in use. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    client: WorkerClient<Channel>,
    lease: String,
    renew_every: Duration,
    /// How long the lease lives from its last renewal on.
    term: Duration,
    renewed: Arc<Mutex<Instant>>,
    /// Cancelled when the lease is lost.
    lost: CancellationToken,
    /// Cancelled when the job is to be stopped.
    cancelled: CancellationToken,
}

/// Asks for a lease, with the token in a file where there is one; none when there is no work.
pub(crate) async fn acquire(
    trainer: &Endpoint,
    token_file: Option<&Path>,
    request: v1::AcquireLeaseRequest,
) -> Result<Option<(Session, v1::AcquireLeaseResponse)>, WorkerError> {
    let address = trainer.uri().to_string();
    let endpoint = trainer.clone().connect_timeout(CONNECT_WITHIN).timeout(CALL_LIMIT);
    let started = Instant::now();
    let mut pause = PAUSE;
    loop {
        let asked = Instant::now();
        let answer = match endpoint.connect().await {
            Ok(channel) => {
                let client = WorkerClient::new(channel)
                    .max_decoding_message_size(MESSAGE_BYTES)
                    .max_encoding_message_size(MESSAGE_BYTES);
                let request = with_token(request.clone(), token_file)?;
                client.clone().acquire_lease(request).await.map(|answer| (client, answer))
            }
            Err(error) => Err(Status::unavailable(root_cause(&error))),
        };
        match answer {
            Ok((client, answer)) => {
                let answer = answer.into_inner();
                if answer.job.is_none() {
                    return Ok(None);
                }
                let session = Session::new(client, &answer, asked)?;
                return Ok(Some((session, answer)));
            }
            Err(status) if passes(&status) => {
                if started.elapsed() > CONNECT_WITHIN {
                    return Err(WorkerError::Unreachable { address, reason: status.message().to_owned() });
                }
            }
            Err(status) => return Err(WorkerError::Refused(status.message().to_owned())),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The request with the token in a file, read anew each time: whoever wrote it may have renewed it.
fn with_token<T>(message: T, token_file: Option<&Path>) -> Result<Request<T>, WorkerError> {
    let mut request = Request::new(message);
    if let Some(file) = token_file {
        let token = std::fs::read_to_string(file);
        let token = token.map_err(|error| {
            WorkerError::Refused(format!("the token's file {} cannot be read: {error}", file.display()))
        })?;
        let header: Result<MetadataValue<Ascii>, _> = format!("Bearer {}", token.trim()).parse();
        let header =
            header.map_err(|_| WorkerError::Refused("the token's file holds no token".to_owned()))?;
        request.metadata_mut().insert("authorization", header);
    }
    Ok(request)
}

impl Session {
    fn new(
        client: WorkerClient<Channel>,
        answer: &v1::AcquireLeaseResponse,
        asked: Instant,
    ) -> Result<Self, WorkerError> {
        let renew_every = answer.renew_every.and_then(|every| Duration::try_from(every).ok());
        let renew_every = renew_every.filter(|every| !every.is_zero());
        let renew_every =
            renew_every.ok_or_else(|| WorkerError::Lease("it does not say how often to renew".to_owned()))?;
        Ok(Self {
            client,
            lease: answer.lease.clone(),
            renew_every,
            // The trainer's own clock may differ from ours: a term is three renewals, counted here.
            term: renew_every * 3,
            renewed: Arc::new(Mutex::new(asked)),
            lost: CancellationToken::new(),
            cancelled: CancellationToken::new(),
        })
    }

    /// Cancelled when the lease is lost.
    pub(crate) const fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Cancelled when the job is to be stopped.
    pub(crate) const fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Renews the lease until it is lost.
    pub(crate) async fn keep(self) {
        while !self.lost.is_cancelled() {
            tokio::select! {
                () = self.lost.cancelled() => return,
                () = tokio::time::sleep(self.renew_every) => {}
            }
            // A failure that passes is tried again at the next turn, or ends the lease with its term.
            let _ = self.renew().await;
        }
    }

    /// Renews the lease once; answers whether the job is to be stopped.
    pub(crate) async fn renew(&self) -> Result<bool, WorkerError> {
        let mut client = self.client.clone();
        let answer = self
            .call(async |session| {
                let asked = Instant::now();
                let request = v1::RenewLeaseRequest { lease: session.lease.clone() };
                client.renew_lease(request).await.map(|answer| (asked, answer.into_inner()))
            })
            .await;
        let (asked, answer) = self.or_lost(answer)?;
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        if answer.cancel {
            self.cancelled.cancel();
        }
        Ok(answer.cancel)
    }

    /// Tells what was done.
    pub(crate) async fn report(
        &self,
        events: Vec<v1::WatchPruningJobResponse>,
        log_lines: Vec<String>,
    ) -> Result<(), WorkerError> {
        let mut client = self.client.clone();
        let told = self.call(async |session| {
            let request = v1::ReportEventsRequest {
                lease: session.lease.clone(),
                events: events.clone(),
                log_lines: log_lines.clone(),
            };
            client.report_events(request).await
        });
        self.or_lost(told.await).map(drop)
    }

    /// Records a checkpoint whose files are stored.
    pub(crate) async fn record(&self, checkpoint: v1::Checkpoint) -> Result<(), WorkerError> {
        let mut client = self.client.clone();
        let recorded = self.call(async |session| {
            let (lease, checkpoint) = (session.lease.clone(), Some(checkpoint.clone()));
            client.record_checkpoint(v1::RecordCheckpointRequest { lease, checkpoint }).await
        });
        self.or_lost(recorded.await).map(drop)
    }

    /// Ends the job with its result.
    pub(crate) async fn complete(&self, job: v1::PruningJob) -> Result<(), WorkerError> {
        let mut client = self.client.clone();
        self.call(async |session| {
            let (lease, job) = (session.lease.clone(), Some(job.clone()));
            client.complete_job(v1::CompleteJobRequest { lease, job }).await
        })
        .await
        .map(drop)
    }

    /// Ends the attempt with a fault.
    pub(crate) async fn fail(&self, fault: v1::JobFault) -> Result<bool, WorkerError> {
        let mut client = self.client.clone();
        let answer = self.call(async |session| {
            let (lease, fault) = (session.lease.clone(), Some(fault.clone()));
            client.fail_job(v1::FailJobRequest { lease, fault }).await
        });
        answer.await.map(|answer| answer.into_inner().will_retry)
    }

    /// A refusal in the midst of the work says that the lease is lost.
    fn or_lost<T>(&self, outcome: Result<T, WorkerError>) -> Result<T, WorkerError> {
        if outcome.is_err() {
            self.lost.cancel();
        }
        outcome
    }

    /// Makes a call again until it is answered or the lease is over.
    async fn call<T>(&self, mut make: impl AsyncFnMut(&Self) -> Result<T, Status>) -> Result<T, WorkerError> {
        let mut pause = PAUSE;
        loop {
            let status = match make(self).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if !passes(&status) {
                return Err(WorkerError::LeaseLost(status.message().to_owned()));
            }
            let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
            if renewed.elapsed() > self.term {
                self.lost.cancel();
                return Err(WorkerError::LeaseLost(status.message().to_owned()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether the same call may succeed in a moment.
fn passes(status: &Status) -> bool {
    match code_of(status) {
        Some(ErrorCode::LeaseLost | ErrorCode::JobEnded) => false,
        Some(code) => matches!(
            gifthorse_api::status::grpc_code(code.class()),
            Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded
        ),
        // Without a code of ours it comes from the transport.
        None => !matches!(status.code(), Code::Unimplemented | Code::InvalidArgument | Code::NotFound),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
