//! One service as a child process.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child as Process, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::error::UpError;
use super::programs::Programs;
use super::service::Service;
use super::tail::Tail;

/// How long the pipes of a process that ended may take to run dry; a grandchild may hold them open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A key of a service's configuration (`section.key`) and its value.
pub(super) type Setting = (&'static str, String);

/// Where a service listens, as its first line on standard output says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Listening {
    #[serde(skip_serializing)]
    service: String,
    /// Its gRPC address.
    pub(super) grpc: SocketAddr,
    /// Its address for probes and metrics (HTTP).
    admin: SocketAddr,
}

/// A running service.
#[derive(Debug)]
pub(super) struct Child {
    service: Service,
    process: Process,
    announcement: oneshot::Receiver<String>,
    tail: Tail,
    readers: JoinSet<()>,
}

impl Child {
    /// Starts a service.
    pub(super) fn start(
        service: Service,
        programs: &Programs,
        settings: Vec<Setting>,
        show_logs: bool,
    ) -> Result<Self, UpError> {
        let mut command = Command::new(programs.own());
        command.arg("attached").arg("--parent").arg(std::process::id().to_string());
        command.arg("--").arg(programs.of(service));
        for (key, value) in settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        for (variable, value) in service.defaults() {
            if std::env::var_os(&variable).is_none() {
                command.env(variable, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C at a terminal is sent to a whole process group; the services stop in our order, not in its.
        command.process_group(0).kill_on_drop(true);
        let mut process = command.spawn().map_err(|source| UpError::Start { service, source })?;

        let tail = Tail::default();
        let log = Log { service, tail: tail.clone(), show: show_logs };
        let (announce, announcement) = oneshot::channel();
        let mut readers = JoinSet::new();
        if let Some(stdout) = process.stdout.take() {
            readers.spawn(copy(stdout, Some(announce), log.clone()));
        }
        if let Some(stderr) = process.stderr.take() {
            readers.spawn(copy(stderr, None, log));
        }
        Ok(Self { service, process, announcement, tail, readers })
    }

    /// Which service it is.
    pub(super) const fn service(&self) -> Service {
        self.service
    }

    /// The last lines of its log.
    pub(super) fn last_words(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// Waits until the service says where it listens. Asked once.
    pub(super) async fn listening(&mut self) -> Result<Listening, UpError> {
        let Ok(line) = (&mut self.announcement).await else {
            // Its output is closed, so it has ended or is about to.
            return Err(self.ended().await);
        };
        let service = self.service;
        serde_json::from_str(&line)
            .ok()
            .filter(|listening: &Listening| listening.service == service.name())
            .ok_or(UpError::Announcement { service, line })
    }

    /// Waits until the process ends, and says so as an error.
    pub(super) async fn ended(&mut self) -> UpError {
        let service = self.service;
        match self.process.wait().await {
            Ok(status) => {
                self.read_to_end().await;
                UpError::Ended { service, status, last_words: self.last_words() }
            }
            Err(source) => UpError::Start { service, source },
        }
    }

    /// Asks the process to end and waits, at most `limit`; gives its status, or none when it is still there.
    pub(super) async fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        // Reaping happens here alone, so the id still is that of our child.
        if let Some(id) = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            // An error says that it has ended just now, which `wait` will tell.
            let _ = kill_process(id, Signal::TERM);
        }
        let status = tokio::time::timeout(limit, self.process.wait()).await.ok()?.ok();
        self.read_to_end().await;
        status
    }

    /// Ends the process at once.
    pub(super) async fn kill(&mut self) {
        // It fails only when the process has ended already.
        let _ = self.process.kill().await;
    }

    async fn read_to_end(&mut self) {
        let all = async { while self.readers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WORDS, all).await;
    }
}

/// Where the lines of a service go.
#[derive(Debug, Clone)]
struct Log {
    service: Service,
    tail: Tail,
    show: bool,
}

impl Log {
    fn line(&self, line: &str) {
        self.tail.push(line);
        if self.show {
            // Logs that cannot be shown are no reason to stop.
            let _ = writeln!(std::io::stderr(), "{:<8} | {line}", self.service.name());
        }
    }
}

/// Reads lines until the pipe closes; the first one goes to `announce`, where it is wanted.
async fn copy(pipe: impl AsyncRead + Unpin, mut announce: Option<oneshot::Sender<String>>, log: Log) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while matches!(pipe.read_until(b'\n', &mut bytes).await, Ok(1..)) {
        let text = String::from_utf8_lossy(&bytes);
        let line = text.trim_end_matches(['\n', '\r']);
        match announce.take() {
            // Nobody waits for it any more: the house stops.
            Some(announce) => drop(announce.send(line.to_owned())),
            None => log.line(line),
        }
        bytes.clear();
    }
}
