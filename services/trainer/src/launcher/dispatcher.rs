//! Starts workers for the jobs that are due, as many as there is room for, and looks after them to their end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use gifthorse_api::name::Identifier;
use gifthorse_service::ByteSize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Launch, Launcher, Observed};
use crate::configuration::LauncherConfiguration;
use crate::error::TrainerError;
use crate::queue::{Due, Queue};

/// How often attempts are looked at.
const TICK: Duration = Duration::from_millis(200);

/// Keeps workers going for one trainer.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    queue: Queue,
    launcher: Arc<dyn Launcher>,
    settings: LauncherConfiguration,
    attempts: BTreeMap<String, Attempt>,
}

/// An attempt that this trainer looks after.
#[derive(Debug)]
struct Attempt {
    job: Identifier,
    /// Since when its worker should be gone.
    unwanted: Option<Instant>,
}

impl Dispatcher {
    /// Nothing is started before [`Self::run`].
    pub(crate) fn new(queue: Queue, launcher: Arc<dyn Launcher>, settings: LauncherConfiguration) -> Self {
        Self { queue, launcher, settings, attempts: BTreeMap::new() }
    }

    /// Works until it is stopped; then ends the workers and puts their jobs back.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        let mut adopted = false;
        let mut changes = self.queue.changes();
        while !stop.is_cancelled() {
            let round = async {
                if !adopted {
                    self.adopt().await?;
                    adopted = true;
                }
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
        self.hand_back().await;
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.attempts.len() < self.settings.workers.get()
    }

    /// Takes over what a trainer before this one has launched, where it still lives.
    async fn adopt(&mut self) -> Result<(), TrainerError> {
        for launched in self.queue.launches().await? {
            match self.launcher.observe(&launched.handle).await {
                Observed::Runs => {
                    tracing::info!(job = %launched.job, "worker adopted");
                    self.attempts.insert(launched.handle, Attempt { job: launched.job, unwanted: None });
                }
                Observed::Ended(fault) => {
                    tracing::info!(job = %launched.job, fault = %fault.message, "worker is gone");
                    self.queue.attempt_ended(&launched.job, &launched.handle, fault).await?;
                }
                Observed::Elsewhere => {}
            }
        }
        Ok(())
    }

    /// Notices workers that have ended, and ends those that should have.
    async fn look(&mut self) -> Result<(), TrainerError> {
        let handles: Vec<String> = self.attempts.keys().cloned().collect();
        for handle in handles {
            let Some(attempt) = self.attempts.get_mut(&handle) else { continue };
            match self.launcher.observe(&handle).await {
                Observed::Ended(fault) => {
                    let job = attempt.job.clone();
                    let ended = self.queue.attempt_ended(&job, &handle, fault.clone()).await;
                    if let Ok(Some(_)) = &ended {
                        tracing::warn!(%job, fault = %fault.message, "worker ended before its job");
                    }
                    self.attempts.remove(&handle);
                    ended?;
                }
                Observed::Elsewhere => {
                    self.attempts.remove(&handle);
                }
                Observed::Runs => {
                    if !self.queue.is_unwanted(&attempt.job, &handle).await? {
                        attempt.unwanted = None;
                    } else if attempt.unwanted.get_or_insert_with(Instant::now).elapsed()
                        >= self.settings.stop_within
                    {
                        tracing::info!(job = %attempt.job, "worker did not stop, ending it");
                        self.launcher.stop(&handle).await;
                    }
                }
            }
        }
        Ok(())
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
        let asked = due.job.specification.resources.as_ref().map_or(0, |resources| resources.memory_bytes);
        let asked = u64::try_from(asked).ok().filter(|bytes| *bytes > 0);
        let memory_bytes = asked.or(self.settings.memory.map(ByteSize::get));
        let launch = Launch { name: due.name, job: job.clone(), memory_bytes };
        match self.launcher.launch(&launch).await {
            Ok(handle) => {
                tracing::info!(%job, attempt = %launch.name, "worker started");
                self.attempts.insert(handle.clone(), Attempt { job: job.clone(), unwanted: None });
                self.queue.launched(&job, &launch.name, &handle).await
            }
            Err(fault) => {
                tracing::warn!(%job, fault = %fault.message, "worker not started");
                self.queue.not_launched(&job, fault).await
            }
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
