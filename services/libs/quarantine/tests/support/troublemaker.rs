//! A program that follows the quarantine's protocol and misbehaves as its tasks say, for the tests.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_quarantine::{Quarantine, QuarantineLimits, RemoteFault, child};
use rustix::process::{Resource, Signal};
use serde_json::{Value, json};

fn main() -> ExitCode {
    if let Some(task) = child::requested() {
        return child::serve(&task, make_trouble);
    }
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(word), Some(socket)) if word == "parent" => be_a_parent(&socket.into()),
        _ => ExitCode::FAILURE,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the data set is empty: give it rows")]
struct EmptyDataset;

impl Coded for EmptyDataset {
    fn code(&self) -> ErrorCode {
        ErrorCode::DatasetInvalid
    }

    fn field(&self) -> Option<String> {
        Some("source.data".to_owned())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        vec![("rowsFound", "0".to_owned())]
    }
}

fn make_trouble(task: &str, request: Value) -> Result<Value, RemoteFault> {
    match task {
        "echo" => Ok(request),
        "powers" => Ok(powers()),
        "fail" => child::answer(request, |()| Err::<(), _>(EmptyDataset)),
        "panic" => panic!("the reader stumbled over {request}"),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        // Rust's own handler takes the first signal, finds no stack overflow, and steps aside.
        "crash" => loop {
            let _sent = rustix::process::kill_process(rustix::process::getpid(), Signal::SEGV);
        },
        "hang" => hang(&request),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "allocate" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 16 << 20]);
            }
        }
        "write" => {
            let mut file = std::fs::File::create("long").map_err(|error| internal(&error))?;
            loop {
                file.write_all(&[0; 4096]).map_err(|error| internal(&error))?;
            }
        }
        "chatter" => loop {
            std::io::stdout().write_all(&[b'x'; 4096]).map_err(|error| internal(&error))?;
        },
        "stray" => {
            std::io::stdout().write_all(b"a library greets").map_err(|error| internal(&error))?;
            std::io::stdout().flush().map_err(|error| internal(&error))?;
            Ok(json!("heard"))
        }
        "ramble" => Ok(Value::from("x".repeat(1 << 20))),
        other => Err(child::unknown_task(other)),
    }
}

fn internal(error: &std::io::Error) -> RemoteFault {
    RemoteFault::new(ErrorCode::Internal, error.to_string())
}

/// Tells the socket named by the request its process id, then never returns.
fn hang(request: &Value) -> ! {
    let mut line = request.as_str().and_then(|socket| UnixStream::connect(socket).ok());
    if let Some(line) = &mut line {
        let _told = line.write_all(&rustix::process::getpid().as_raw_nonzero().get().to_le_bytes());
    }
    loop {
        std::thread::park();
    }
}

/// What is left of the reader's powers.
fn powers() -> Value {
    let soft = |resource| rustix::process::getrlimit(resource).current;
    let environment: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
    json!({
        "core": soft(Resource::Core),
        "cpu": soft(Resource::Cpu),
        "file": soft(Resource::Fsize),
        "open": soft(Resource::Nofile),
        "space": soft(Resource::As),
        "noNewPrivileges": rustix::thread::no_new_privs().ok(),
        "mask": rustix::process::umask(rustix::fs::Mode::empty()).bits(),
        "environment": environment,
        "folder": std::env::current_dir().ok(),
    })
}

/// Reads a foreign file that hangs; the test kills this parent meanwhile.
fn be_a_parent(socket: &PathBuf) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let quarantine = Quarantine::new(QuarantineLimits::default());
    match runtime.block_on(quarantine.run::<_, Value>("hang", socket)) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
