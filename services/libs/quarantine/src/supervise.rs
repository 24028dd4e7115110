//! One reader process from its start to its burial.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

use crate::error::QuarantineError;
use crate::limits::QuarantineLimits;
use crate::log::Log;
use crate::protocol::READER_ARGUMENT;

/// The environment a reader keeps: where the system's and the inference engine's libraries are.
const KEPT_ENVIRONMENT: &[&str] = &["LD_LIBRARY_PATH", "ORT_DYLIB_PATH", "RUST_BACKTRACE"];

/// The environment a reader gets besides.
const SET_ENVIRONMENT: &[(&str, &str)] = &[
    // An HDF5 file may name a filter, and libhdf5 would load code for it from a plugin folder.
    ("HDF5_PLUGIN_PRELOAD", "::"),
    // glibc reserves 64 MiB of address space for each thread's arena, which the memory limit counts.
    ("MALLOC_ARENA_MAX", "2"),
];

/// How a reader came to its end.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) answer: Vec<u8>,
    pub(crate) log: Log,
}

enum Conversation {
    Held { status: ExitStatus, answer: Vec<u8> },
    AnswerTooLong,
}

/// A reader that has been started and not yet spoken to; dropping it kills it.
pub(crate) struct Reader<'a> {
    child: Child,
    executable: &'a Path,
    limits: &'a QuarantineLimits,
}

impl<'a> Reader<'a> {
    /// Starts `executable` as a reader with `folder` as its working directory.
    pub(crate) fn start(
        executable: &'a Path,
        task: &str,
        folder: &Path,
        limits: &'a QuarantineLimits,
    ) -> Result<Self, QuarantineError> {
        let mut command = Command::new(executable);
        command
            .arg0("gifthorse-reader")
            .args([READER_ARGUMENT, task, &std::process::id().to_string()])
            .current_dir(folder)
            .env_clear()
            .envs(KEPT_ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(SET_ENVIRONMENT.iter().copied())
            .env("TMPDIR", folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C meant for the service must not look like a file that crashes its reader.
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|source| QuarantineError::Process {
            action: "start",
            executable: executable.to_owned(),
            source,
        })?;
        Ok(Self { child, executable, limits })
    }

    /// Sends the request, takes the answer and the log, and waits for the end. A reader that takes too long
    /// or says too much is killed and buried before this returns.
    pub(crate) async fn converse(mut self, request: &[u8]) -> Result<Ended, QuarantineError> {
        let mut log = Log::default();
        let held = tokio::time::timeout(
            self.limits.wall_time,
            converse(&mut self.child, request, self.limits.answer_bytes, &mut log),
        )
        .await;
        let failure = match held {
            Ok(Ok(Conversation::Held { status, answer })) => return Ok(Ended { status, answer, log }),
            Ok(Ok(Conversation::AnswerTooLong)) => {
                QuarantineError::AnswerTooLong { limit_bytes: self.limits.answer_bytes }
            }
            Ok(Err(source)) => self.broken("talk to", source),
            Err(_elapsed) => QuarantineError::WallTime { limit: self.limits.wall_time },
        };
        self.child.kill().await.map_err(|source| self.broken("wait for", source))?;
        tracing::warn!(error = %failure, log = log.text(), "reader of a foreign file killed");
        Err(failure)
    }

    fn broken(&self, action: &'static str, source: io::Error) -> QuarantineError {
        QuarantineError::Process { action, executable: self.executable.to_owned(), source }
    }
}

async fn converse(
    child: &mut Child,
    request: &[u8],
    answer_bytes: u64,
    log: &mut Log,
) -> io::Result<Conversation> {
    let piped = || io::Error::other("the process has no pipes");
    let stdin = child.stdin.take().ok_or_else(piped)?;
    let stdout = child.stdout.take().ok_or_else(piped)?;
    let stderr = child.stderr.take().ok_or_else(piped)?;
    let talk = async {
        let ((), answer, ()) = tokio::try_join!(
            async { send(stdin, request).await.map_err(Interruption::Broken) },
            receive(stdout, answer_bytes),
            async { log.follow(stderr).await.map_err(Interruption::Broken) },
        )?;
        Ok::<_, Interruption>(answer)
    };
    match talk.await {
        Ok(answer) => Ok(Conversation::Held { status: child.wait().await?, answer }),
        Err(Interruption::AnswerTooLong) => Ok(Conversation::AnswerTooLong),
        Err(Interruption::Broken(source)) => Err(source),
    }
}

enum Interruption {
    AnswerTooLong,
    Broken(io::Error),
}

/// Writes the request and closes the pipe. A reader that died before it listened is no failure here: its
/// end says more.
async fn send(mut stdin: ChildStdin, request: &[u8]) -> io::Result<()> {
    match stdin.write_all(request).await {
        Err(source) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

async fn receive(stdout: impl AsyncRead + Unpin, limit: u64) -> Result<Vec<u8>, Interruption> {
    let mut answer = Vec::new();
    stdout.take(limit.saturating_add(1)).read_to_end(&mut answer).await.map_err(Interruption::Broken)?;
    if answer.len() as u64 > limit { Err(Interruption::AnswerTooLong) } else { Ok(answer) }
}
