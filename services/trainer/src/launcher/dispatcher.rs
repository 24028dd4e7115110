//! Starts workers for the jobs that are due, as many as there is room for, and looks after them to their end.
//!
//! A claim lasts for `start_within`, and as long as a trainer looks after the attempt it is renewed at half of that:
//! a worker that waits for a node for hours keeps its job, and one whose trainers are all gone loses it within
//! `start_within`, to whoever finds it under its name again. The same time is what a worker has from the moment it
//! runs to its lease; waiting does not count.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use gifthorse_api::v1::WorkerResources;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_service::ByteSize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Ending, Launch, Launcher, NotLaunched, Observed};
use crate::configuration::LauncherConfiguration;
use crate::error::TrainerError;
use crate::queue::{Due, Ended, Fault, Queue, Standing};

/// How often attempts are looked at.
const TICK: Duration = Duration::from_millis(200);
/// How often those are looked for that other trainers have left, where workers outlive them.
const ADOPT: Duration = Duration::from_secs(2);
/// Reasons of a wait change with every look at a busy cluster; they are told no more often than this.
const TELL: Duration = Duration::from_secs(10);

/// Keeps workers going for one trainer.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    queue: Queue,
    launcher: Arc<dyn Launcher>,
    settings: LauncherConfiguration,
    attempts: BTreeMap<String, Attempt>,
    adopted: Option<Instant>,
}

/// An attempt that this trainer looks after.
#[derive(Debug)]
struct Attempt {
    job: Identifier,
    /// Since when its worker should be gone.
    unwanted: Option<Instant>,
    /// Since when its worker runs without a lease.
    idle: Option<Instant>,
    /// When its claim was renewed last, and with which reason to wait.
    renewed: Option<(Instant, Option<Fault>)>,
}

impl Attempt {
    const fn new(job: Identifier) -> Self {
        Self { job, unwanted: None, idle: None, renewed: None }
    }

    /// Whether its claim is to be renewed now.
    fn is_to_be_renewed(&self, waits: Option<&Fault>, start_within: Duration) -> bool {
        self.renewed.as_ref().is_none_or(|(when, told)| {
            let news = waits != told.as_ref();
            let first = told.is_none() != waits.is_none();
            when.elapsed() >= start_within / 2 || news && (first || when.elapsed() >= TELL)
        })
    }
}

impl Dispatcher {
    /// Nothing is started before [`Self::run`].
    pub(crate) fn new(queue: Queue, launcher: Arc<dyn Launcher>, settings: LauncherConfiguration) -> Self {
        Self { queue, launcher, settings, attempts: BTreeMap::new(), adopted: None }
    }

    /// Works until it is stopped; then ends the workers that end with it and puts their jobs back.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut changes = self.queue.changes();
        while !stop.is_cancelled() {
            let round = async {
                self.adopt().await?;
                self.look().await?;
                self.start_due().await
            };
            if let Err(error) = round.await {
                tracing::warn!(%error, "workers not looked after, trying again");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(TICK) => {}
                Ok(()) = changes.changed(), if self.has_room() => {}
            }
        }
        if !self.launcher.outlives_trainers() {
            self.hand_back().await;
        }
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.attempts.len() < self.settings.workers.get()
    }

    /// Takes over what another trainer has launched, where it still lives: once, or time and again where workers
    /// outlive their trainers.
    async fn adopt(&mut self) -> Result<(), TrainerError> {
        let again = self.launcher.outlives_trainers();
        if self.adopted.is_some_and(|adopted| !again || adopted.elapsed() < ADOPT) {
            return Ok(());
        }
        // A worker that outlives its trainer may also outlive its job, which ended while nobody was there to end it.
        let ended = if again { Ended::Included } else { Ended::Left };
        for launched in self.queue.launches(ended).await? {
            if self.attempts.contains_key(&launched.handle) {
                continue;
            }
            match self.launcher.observe(&launched.handle).await {
                Observed::Waits(_) | Observed::Runs | Observed::Unknown => {
                    tracing::info!(job = %launched.job, "worker adopted");
                    self.attempts.insert(launched.handle, Attempt::new(launched.job));
                }
                Observed::Ended(ending) => {
                    tracing::info!(job = %launched.job, fault = %ending.fault.message, "worker is gone");
                    self.ended(&launched.job, &launched.handle, ending).await?;
                }
                Observed::Elsewhere if again => {
                    self.queue.forget_launch(&launched.job, &launched.handle).await?;
                }
                Observed::Elsewhere => {}
            }
        }
        self.adopted = Some(Instant::now());
        Ok(())
    }

    /// Notices workers that have ended, and ends those that should have.
    async fn look(&mut self) -> Result<(), TrainerError> {
        let handles: Vec<String> = self.attempts.keys().cloned().collect();
        for handle in handles {
            let Some(mut attempt) = self.attempts.remove(&handle) else { continue };
            let observed = self.launcher.observe(&handle).await;
            let goes_on = self.treat(&handle, &mut attempt, observed).await;
            if !matches!(goes_on, Ok(false)) {
                self.attempts.insert(handle, attempt);
            }
            goes_on?;
        }
        Ok(())
    }

    /// Does what follows from an observation; answers whether the attempt is to be looked at again.
    async fn treat(
        &self,
        handle: &str,
        attempt: &mut Attempt,
        observed: Observed,
    ) -> Result<bool, TrainerError> {
        match observed {
            Observed::Ended(ending) => {
                let ended = self.ended(&attempt.job, handle, ending).await?;
                if let Some(fault) = ended {
                    tracing::warn!(job = %attempt.job, %fault, "worker ended before its job");
                }
                return Ok(false);
            }
            Observed::Elsewhere => return Ok(false),
            Observed::Waits(waits) => self.treat_waiting(handle, attempt, waits).await?,
            Observed::Runs => return self.treat_running(handle, attempt).await,
            Observed::Unknown => {
                if self.queue.standing(&attempt.job, handle).await? == Standing::Awaited {
                    let waits = attempt.renewed.as_ref().and_then(|(_, waits)| waits.clone());
                    self.renew(handle, attempt, waits).await?;
                }
            }
        }
        Ok(true)
    }

    async fn treat_waiting(
        &self,
        handle: &str,
        attempt: &mut Attempt,
        waits: Option<Fault>,
    ) -> Result<(), TrainerError> {
        match self.queue.standing(&attempt.job, handle).await? {
            Standing::Awaited => self.renew(handle, attempt, waits).await?,
            Standing::Leased => {}
            // There is nobody to be told.
            Standing::Unwanted => self.launcher.stop(handle).await,
        }
        Ok(())
    }

    async fn treat_running(&self, handle: &str, attempt: &mut Attempt) -> Result<bool, TrainerError> {
        match self.queue.standing(&attempt.job, handle).await? {
            Standing::Leased => (attempt.unwanted, attempt.idle) = (None, None),
            Standing::Awaited => {
                let within = self.settings.start_within;
                if attempt.idle.get_or_insert_with(Instant::now).elapsed() < within {
                    self.renew(handle, attempt, None).await?;
                    return Ok(true);
                }
                tracing::warn!(job = %attempt.job, "worker took no lease, ending it");
                self.launcher.stop(handle).await;
                let message =
                    format!("the worker ran for {} s and took no lease", within.as_secs_f64().round());
                let fault = Fault::new(Kind::Launch, ErrorCode::WorkerNotStarted, message);
                self.ended(&attempt.job, handle, fault.into()).await?;
                return Ok(false);
            }
            Standing::Unwanted => {
                let since = attempt.unwanted.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.settings.stop_within {
                    tracing::info!(job = %attempt.job, "worker did not stop, ending it");
                    self.launcher.stop(handle).await;
                }
            }
        }
        Ok(true)
    }

    async fn renew(
        &self,
        handle: &str,
        attempt: &mut Attempt,
        waits: Option<Fault>,
    ) -> Result<(), TrainerError> {
        let within = self.settings.start_within;
        if attempt.is_to_be_renewed(waits.as_ref(), within) {
            self.queue.awaited(&attempt.job, handle, within, waits.clone()).await?;
            attempt.renewed = Some((Instant::now(), waits));
        }
        Ok(())
    }

    /// Ends an attempt, and gives the fault where its job had not ended before it.
    async fn ended(
        &self,
        job: &Identifier,
        handle: &str,
        ending: Ending,
    ) -> Result<Option<String>, TrainerError> {
        let message = ending.fault.message.clone();
        let Some(_) = self.queue.attempt_ended(job, handle, ending.fault).await? else { return Ok(None) };
        if !ending.log.is_empty() {
            self.queue.log(job, &ending.log).await?;
        }
        Ok(Some(message))
    }

    /// Starts workers while there is room and work.
    async fn start_due(&mut self) -> Result<(), TrainerError> {
        while self.has_room() && self.queue.is_any_due().await? {
            let Some(due) = self.claim().await? else { break };
            self.start(due).await?;
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<Due>, TrainerError> {
        let claim = |name: &str| self.launcher.claim(name);
        self.queue.claim_launch(self.settings.start_within, claim).await
    }

    async fn start(&mut self, due: Due) -> Result<(), TrainerError> {
        let job = due.job.id.clone();
        let launch = self.launch_of(due);
        match self.launcher.launch(&launch).await {
            Ok(handle) => {
                tracing::info!(%job, attempt = %launch.name, "worker started");
                self.attempts.insert(handle.clone(), Attempt::new(job.clone()));
                self.queue.launched(&job, &launch.name, &handle).await
            }
            Err(NotLaunched::Failed(fault)) => {
                tracing::warn!(%job, fault = %fault.message, "worker not started");
                self.queue.not_launched(&job, fault).await
            }
            Err(NotLaunched::NotNow(fault)) => {
                tracing::warn!(%job, reason = %fault.message, "worker not started yet, trying again");
                self.queue.postponed(&job, fault).await
            }
        }
    }

    fn launch_of(&self, due: Due) -> Launch {
        let WorkerResources { cores, memory_bytes, gpus, queue, priority_class } =
            due.job.specification.resources.unwrap_or_default();
        let asked = u64::try_from(memory_bytes).ok().filter(|bytes| *bytes > 0);
        Launch {
            name: due.name,
            job: due.job.id,
            memory_bytes: asked.or(self.settings.memory.map(ByteSize::get)),
            cores: Some(cores).filter(|cores| *cores > 0.0),
            gpus: u32::try_from(gpus).unwrap_or_default(),
            queue,
            priority_class,
        }
    }

    /// Ends all workers and puts their jobs back, which costs those no attempt.
    async fn hand_back(&mut self) {
        for (handle, attempt) in std::mem::take(&mut self.attempts) {
            self.launcher.stop(&handle).await;
            match self.queue.hand_back(&attempt.job, &handle).await {
                Ok(true) => tracing::info!(job = %attempt.job, "job handed back"),
                Ok(false) => {}
                Err(error) => tracing::warn!(job = %attempt.job, %error, "job not handed back"),
            }
        }
    }
}
