//! Workers as child processes of this trainer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::name::Identifier;
use gifthorse_api::v1::job_fault::Kind;
use gifthorse_service::Tasks;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::ending::{fault_of, kills_for_memory, tells_of_memory, vanished};
use super::handle::{ProcessHandle, Role};
use super::spawner::Spawner;
use super::{Launch, Launcher, NotLaunched, Observed};
use crate::queue::Fault;

/// How OpenMP's threads wait for each other.
const WAITING: &str = "OMP_WAIT_POLICY";

/// Lines of a worker that are looked at for why it ended.
const LAST_WORDS: usize = 20;
/// The longest line that is read, in bytes; the rest of it is dropped.
const LINE: u64 = 8192;
/// How long the pipes of a process that ended may take to run dry; a grandchild may hold them open.
const DRAIN: Duration = Duration::from_secs(1);

/// A line that a worker's process wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its job.
    pub(crate) job: Identifier,
    /// The line.
    pub(crate) line: String,
}

/// Starts child processes.
#[derive(Debug)]
pub(crate) struct Processes {
    program: PathBuf,
    trainer: String,
    spawner: Spawner,
    said: mpsc::Sender<Said>,
    tasks: Tasks,
    attempts: Arc<Mutex<HashMap<String, Attempt>>>,
}

/// An attempt that was launched here.
#[derive(Debug, Clone)]
struct Attempt {
    handle: ProcessHandle,
    ended: Option<Fault>,
}

impl Processes {
    /// Starts `program` for every attempt and tells it that this trainer answers at `trainer`; what it writes
    /// goes to `said`. Called within a tokio runtime.
    pub(crate) fn new(
        program: PathBuf,
        trainer: String,
        said: mpsc::Sender<Said>,
        tasks: Tasks,
    ) -> std::io::Result<Self> {
        let spawner = Spawner::start()?;
        Ok(Self { program, trainer, spawner, said, tasks, attempts: Arc::default() })
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        locked(&self.attempts)
    }

    fn command(&self, launch: &Launch) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--trainer").arg(&self.trainer);
        command.arg("--job").arg(launch.resource_name());
        command.arg("--name").arg(&launch.name);
        command.arg("--parent").arg(std::process::id().to_string());
        // Threads of libtorch that spin while they wait take the processors from the services and from other workers:
        // measured beside another training, one that sleeps is three times as fast, alone a tenth slower.
        if std::env::var_os(WAITING).is_none() {
            command.env(WAITING, "PASSIVE");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C at a terminal is for the trainer, which ends its workers itself.
        command.process_group(0).kill_on_drop(true);
        command
    }

    /// Waits for the process and writes down how it ended.
    fn watch(&self, job: Identifier, name: String, mut child: Child) {
        let (said, attempts) = (self.said.clone(), Arc::clone(&self.attempts));
        let (output, error) = (child.stdout.take(), child.stderr.take());
        let kills = kills_for_memory();
        // The task is owned by the service's list of tasks; what it finds is read off the attempt.
        drop(self.tasks.start("watch a worker", async move {
            let words = Arc::new(Mutex::new(Vec::new()));
            let reading = async {
                tokio::join!(
                    read(output, job.clone(), said.clone(), Arc::clone(&words)),
                    read(error, job.clone(), said.clone(), Arc::clone(&words)),
                );
            };
            let (mut reading, mut is_read) = (std::pin::pin!(reading), false);
            let status = tokio::select! {
                status = child.wait() => status,
                () = &mut reading => {
                    is_read = true;
                    child.wait().await
                }
            };
            if !is_read {
                let _ = tokio::time::timeout(DRAIN, reading).await;
            }
            let words = locked(&words).clone();
            let fault = match status {
                Ok(status) => fault_of(status, &words, kills_for_memory() > kills),
                Err(error) => {
                    let message = format!("the worker's end was not seen: {error}");
                    Fault::new(Kind::WorkerLost, ErrorCode::WorkerLost, message)
                }
            };
            if let Some(attempt) = locked(&attempts).get_mut(&name) {
                attempt.ended = Some(fault);
            }
        }));
    }
}

#[tonic::async_trait]
impl Launcher for Processes {
    fn outlives_trainers(&self) -> bool {
        false
    }

    fn claim(&self, name: &str) -> String {
        ProcessHandle::of(name, Role::Claimant, std::process::id()).text()
    }

    async fn launch(&self, launch: &Launch) -> Result<String, NotLaunched> {
        if let Some(attempt) = self.attempts().get(&launch.name) {
            return Ok(attempt.handle.text());
        }
        let not_started = |reason: String| {
            let message = format!("cannot start {}: {reason}", self.program.display());
            NotLaunched::Failed(Fault::new(Kind::Launch, ErrorCode::WorkerNotStarted, message))
        };
        let child = self.spawner.spawn(self.command(launch)).await;
        let child = child.map_err(|error| not_started(error.to_string()))?;
        let id = child.id().ok_or_else(|| not_started("it ended at once".to_owned()))?;
        if let Some(bytes) = launch.memory_bytes {
            // Dropped on failure, the child is killed.
            limit_memory(id, bytes)
                .map_err(|error| not_started(format!("its memory cannot be limited: {error}")))?;
        }
        let handle = ProcessHandle::of(&launch.name, Role::Worker, id);
        let attempt = Attempt { handle: handle.clone(), ended: None };
        self.attempts().insert(launch.name.clone(), attempt);
        self.watch(launch.job.clone(), launch.name.clone(), child);
        Ok(handle.text())
    }

    async fn observe(&self, handle: &str) -> Observed {
        let Some(handle) = ProcessHandle::parse(handle) else { return Observed::Elsewhere };
        let mut attempts = self.attempts();
        if let Some(attempt) = attempts.get(&handle.name).filter(|attempt| attempt.handle == handle) {
            let Some(fault) = attempt.ended.clone() else { return Observed::Runs };
            attempts.remove(&handle.name);
            return Observed::Ended(fault.into());
        }
        // A worker ends with its trainer: one that lives and is not ours has another one, which looks after it.
        if handle.is_at_home() && !handle.lives() {
            Observed::Ended(vanished().into())
        } else {
            Observed::Elsewhere
        }
    }

    async fn stop(&self, handle: &str) {
        let Some(handle) = ProcessHandle::parse(handle).filter(ProcessHandle::lives) else { return };
        if self.attempts().get(&handle.name).is_none_or(|attempt| attempt.handle != handle) {
            return;
        }
        let process = i32::try_from(handle.process).ok().and_then(Pid::from_raw);
        if let Some(process) = process {
            // An error says that it has ended just now, which will be seen.
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
    }
}

fn limit_memory(process: u32, bytes: u64) -> std::io::Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    rustix::process::prlimit(process, Resource::As, limit)?;
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads lines until the pipe closes.
async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    job: Identifier,
    said: mpsc::Sender<Said>,
    words: Arc<Mutex<Vec<String>>>,
) {
    use tokio::io::AsyncReadExt;

    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while matches!((&mut pipe).take(LINE).read_until(b'\n', &mut bytes).await, Ok(1..)) {
        let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
        bytes.clear();
        if line.is_empty() {
            continue;
        }
        {
            let mut words = locked(&words);
            words.push(line.clone());
            if words.len() > LAST_WORDS {
                let least = words.iter().position(|line| !tells_of_memory(line)).unwrap_or_default();
                words.remove(least);
            }
        }
        // A full line of lines holds the worker up, not this trainer's memory.
        let _ = said.send(Said { job: job.clone(), line }).await;
    }
}
