//! The reader's side: one task, one answer, then the end of the process.

use std::any::Any;
use std::io::{self, Read, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use rustix::process::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::confine;
use crate::fault::RemoteFault;
use crate::protocol::{OpenedEnvelope, READER_ARGUMENT, Reply};

/// The task this process was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    name: String,
    parent: Option<Pid>,
}

impl Task {
    /// Its name, as the parent gave it to `run`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The task, if this process was started as a reader: first argument [`READER_ARGUMENT`].
///
/// Must be asked before an async runtime or a thread is started.
pub fn requested() -> Option<Task> {
    task(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()))
}

fn task(mut arguments: impl Iterator<Item = String>) -> Option<Task> {
    if arguments.next()? != READER_ARGUMENT {
        return None;
    }
    let name = arguments.next().unwrap_or_default();
    let parent = arguments.next().and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    Some(Task { name, parent })
}

/// Gives up this process's powers, runs `reader` with the task's name and its request, and answers.
///
/// A panic in `reader` is answered as [`ErrorCode::ForeignFileKilled`]: a file that our own code stumbles
/// over is a bad file to the caller, and the log has the place for us. [`answer`] helps to write readers.
/// The result is the process's exit code, to be returned from `main` at once.
pub fn serve<Reader>(task: &Task, reader: Reader) -> ExitCode
where
    Reader: FnOnce(&str, Value) -> Result<Value, RemoteFault>,
{
    let told = confine::take_stdout().and_then(|mut stdout| {
        let reply = read(task, reader).map_or_else(Reply::Fault, Reply::Answer);
        stdout.write_all(&serde_json::to_vec(&reply)?)
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log is all that is left to say it in; when that fails too, the status still tells.
            let _lost = writeln!(io::stderr(), "cannot answer the parent process: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read<Reader>(task: &Task, reader: Reader) -> Result<Value, RemoteFault>
where
    Reader: FnOnce(&str, Value) -> Result<Value, RemoteFault>,
{
    let request = prepare(task).map_err(|error| {
        RemoteFault::new(ErrorCode::Internal, format!("cannot prepare the reader process: {error}"))
    })?;
    std::panic::catch_unwind(AssertUnwindSafe(|| reader(&task.name, request)))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn prepare(task: &Task) -> io::Result<Value> {
    confine::die_with_parent(task.parent)?;
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let envelope: OpenedEnvelope = serde_json::from_slice(&text)?;
    confine::confine(&envelope.limits)?;
    Ok(envelope.request)
}

fn panicked(panic: &(dyn Any + Send)) -> RemoteFault {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    RemoteFault::new(ErrorCode::ForeignFileKilled, format!("the reader gave up on this file: {words}"))
}

/// One arm of a reader: parses the request, calls `work`, and puts its answer or error into their wire form.
///
/// A request that does not parse is [`ErrorCode::Internal`]: the two sides disagree about the task.
pub fn answer<Request, Answer, Error>(
    request: Value,
    work: impl FnOnce(Request) -> Result<Answer, Error>,
) -> Result<Value, RemoteFault>
where
    Request: DeserializeOwned,
    Answer: Serialize,
    Error: Coded,
{
    let disagreement = |error: serde_json::Error| {
        RemoteFault::new(ErrorCode::Internal, format!("reader and parent disagree about the task: {error}"))
    };
    let request = serde_json::from_value(request).map_err(disagreement)?;
    let answer = work(request).map_err(|error| RemoteFault::of(&error))?;
    serde_json::to_value(answer).map_err(disagreement)
}

/// The reply to a task this program does not know.
pub fn unknown_task(name: &str) -> RemoteFault {
    RemoteFault::new(ErrorCode::Internal, format!("this program has no reader task {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_of(arguments: &[&str]) -> Option<Task> {
        task(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn only_the_reserved_argument_makes_a_reader() {
        assert_eq!(task_of(&[]), None);
        assert_eq!(task_of(&["serve", "read-foreign"]), None);
        let task = task_of(&[READER_ARGUMENT, "import-dataset", "42"]).unwrap();
        assert_eq!(task.name(), "import-dataset");
        assert_eq!(task.parent, Pid::from_raw(42));
        assert_eq!(task_of(&[READER_ARGUMENT, "x", "many"]).unwrap().parent, None);
    }

    #[test]
    fn a_request_of_another_form_is_a_fault_of_ours() {
        let fault = answer(Value::from("text"), |number: u64| Ok::<_, RemoteFault>(number + 1)).unwrap_err();
        assert_eq!(fault.code(), ErrorCode::Internal);
        assert_eq!(answer(Value::from(1), |number: u64| Ok::<_, RemoteFault>(number + 1)), Ok(2.into()));
    }
}
