//! Every way a reader can end, with a real process each time.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers fail by panicking")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_quarantine::{PrivateFolder, Quarantine, QuarantineError, QuarantineLimits};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};

const TROUBLEMAKER: &str = env!("CARGO_BIN_EXE_quarantine-troublemaker");
/// A test that has not come this far is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

fn limits() -> QuarantineLimits {
    QuarantineLimits { memory_bytes: 256 << 20, wall_time: PATIENCE, ..QuarantineLimits::default() }
}

fn quarantine(limits: QuarantineLimits) -> Quarantine {
    Quarantine::new(limits).with_executable(TROUBLEMAKER)
}

async fn trouble(task: &str, limits: QuarantineLimits) -> QuarantineError {
    quarantine(limits).run::<_, Value>(task, &json!(null)).await.unwrap_err()
}

fn assert_file_killed(error: &QuarantineError, words: &str) {
    assert_eq!(error.code(), ErrorCode::ForeignFileKilled, "{error}");
    assert!(error.to_string().contains(words), "{error} must contain {words:?}");
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_given() {
    let request = json!({"path": "ä.h5", "rows": [1, 2.5, null]});
    let answer: Value = quarantine(limits()).run("echo", &request).await.unwrap();
    assert_eq!(answer, request);
}

#[tokio::test]
async fn a_large_request_does_not_block() {
    let request = "x".repeat(1 << 20);
    let answer: String = quarantine(limits()).run("echo", &request).await.unwrap();
    assert_eq!(answer, request);
}

#[tokio::test]
async fn the_reader_has_given_up_its_powers() {
    let folder = PrivateFolder::create().unwrap();
    let limits = QuarantineLimits { output_bytes: 1234, open_files: 20, ..limits() };
    let powers: Value =
        quarantine(limits.clone()).run_in(folder.path(), "powers", &json!(null)).await.unwrap();
    assert_eq!(powers["core"], 0);
    assert_eq!(powers["cpu"], 300);
    assert_eq!(powers["file"], 1234);
    assert_eq!(powers["open"], 20);
    assert!(powers["space"].as_u64().unwrap() > limits.memory_bytes);
    assert!(powers["space"].as_u64().unwrap() < limits.memory_bytes + (256 << 20));
    assert_eq!(powers["noNewPrivileges"], true);
    assert_eq!(powers["mask"], 0o077);
    assert_eq!(powers["folder"].as_str().map(Path::new), Some(folder.path()));
    let allowed = ["LD_LIBRARY_PATH", "ORT_DYLIB_PATH", "RUST_BACKTRACE"];
    let set = ["HDF5_PLUGIN_PRELOAD", "MALLOC_ARENA_MAX", "TMPDIR"];
    let environment: Vec<&str> =
        powers["environment"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(set.iter().all(|name| environment.contains(name)), "{environment:?}");
    assert!(environment.iter().all(|name| allowed.contains(name) || set.contains(name)), "{environment:?}");
}

#[tokio::test]
async fn a_coded_fault_passes_through_whole() {
    let error = trouble("fail", limits()).await;
    assert!(matches!(error, QuarantineError::Fault(_)), "{error:?}");
    assert_eq!(error.code(), ErrorCode::DatasetInvalid);
    assert_eq!(error.to_string(), "the data set is empty: give it rows");
    assert_eq!(error.field().as_deref(), Some("source.data"));
    assert_eq!(error.facts(), vec![("rowsFound", "0".to_owned())]);
}

#[tokio::test]
async fn a_panic_is_a_fault_with_its_words() {
    let error = trouble("panic", limits()).await;
    assert!(matches!(error, QuarantineError::Fault(_)), "{error:?}");
    assert_file_killed(&error, "stumbled over null");
}

#[tokio::test]
async fn a_crash_names_its_signal() {
    let error = trouble("crash", limits()).await;
    assert!(matches!(error, QuarantineError::Crashed { signal: 11 }), "{error:?}");
    assert_file_killed(&error, "the reader crashed on this file (signal 11)");
    let error = trouble("abort", limits()).await;
    assert!(matches!(error, QuarantineError::Crashed { signal: 6 }), "{error:?}");
}

#[tokio::test]
async fn a_process_that_just_exits_gave_no_answer() {
    let error = trouble("exit", limits()).await;
    assert!(matches!(error, QuarantineError::Stopped { status: 3 }), "{error:?}");
}

#[tokio::test]
async fn hoarding_memory_names_the_limit() {
    let error = trouble("allocate", limits()).await;
    assert!(matches!(error, QuarantineError::OutOfMemory { limit_bytes } if limit_bytes == 256 << 20));
    assert_file_killed(&error, "268435456 bytes of memory");
}

#[tokio::test]
async fn spinning_uses_up_the_processor_time() {
    let limits = QuarantineLimits { cpu_time: Duration::from_millis(1), ..limits() };
    let error = trouble("spin", limits).await;
    assert!(matches!(error, QuarantineError::CpuTime { limit_seconds: 1 }), "{error:?}");
}

#[tokio::test]
async fn a_reader_that_never_answers_is_killed_and_buried() {
    let limits = QuarantineLimits { wall_time: Duration::from_secs(1), ..limits() };
    let line = Line::new();
    let error = quarantine(limits).run::<_, Value>("hang", &line.address()).await.unwrap_err();
    assert_file_killed(&error, "1000 ms");
    let (process, _) = line.listen().await;
    assert!(!exists(process), "process {process} must be gone when the error is");
}

#[tokio::test]
async fn a_long_file_names_the_limit() {
    let error = trouble("write", QuarantineLimits { output_bytes: 10_000, ..limits() }).await;
    assert!(matches!(error, QuarantineError::FileTooLong { limit_bytes: 10_000 }), "{error:?}");
}

#[tokio::test]
async fn a_long_answer_is_cut_off() {
    let error = trouble("ramble", QuarantineLimits { answer_bytes: 1000, ..limits() }).await;
    assert_file_killed(&error, "longer than 1000 bytes");
}

#[tokio::test]
async fn endless_chatter_ends_with_the_time() {
    let limits = QuarantineLimits { wall_time: Duration::from_millis(200), ..limits() };
    assert!(matches!(trouble("chatter", limits).await, QuarantineError::WallTime { .. }));
}

#[tokio::test]
async fn what_libraries_print_does_not_spoil_the_answer() {
    let answer: String = quarantine(limits()).run("stray", &json!(null)).await.unwrap();
    assert_eq!(answer, "heard");
}

#[tokio::test]
async fn two_sides_that_disagree_are_a_fault_of_ours() {
    let error = quarantine(limits()).run::<_, u64>("echo", &json!("text")).await.unwrap_err();
    assert!(matches!(error, QuarantineError::AnswerUnreadable { .. }), "{error:?}");
    let error = trouble("unheard-of", limits()).await;
    assert_eq!(error.code(), ErrorCode::Internal);
    assert!(error.to_string().contains("unheard-of"));
}

#[tokio::test]
async fn a_missing_program_cannot_start() {
    let quarantine = Quarantine::new(limits()).with_executable("/nowhere/at/all");
    let error = quarantine.run::<_, Value>("echo", &json!(null)).await.unwrap_err();
    assert!(matches!(error, QuarantineError::Process { action: "start", .. }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::Internal);
}

#[tokio::test]
async fn dropping_the_read_kills_and_buries_the_reader() {
    let line = Line::new();
    let quarantine = quarantine(limits());
    let address = line.address();
    let (process, mut ear) = tokio::select! {
        heard = line.listen() => heard,
        answer = quarantine.run::<_, Value>("hang", &address) => panic!("must hang, got {answer:?}"),
    };
    silence(&mut ear).await;
    let buried = async {
        while exists(process) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, buried).await.expect("the runtime must bury the killed reader");
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_waiting_read_gets_its_turn() {
    let quarantine = quarantine(limits()).with_concurrency(NonZeroUsize::MIN, 1);
    let line = Line::new();
    let address = line.address();
    let mut hanging = Box::pin(quarantine.run::<_, Value>("hang", &address));
    let (_, mut ear) = tokio::select! {
        heard = line.listen() => heard,
        answer = &mut hanging => panic!("must hang, got {answer:?}"),
    };
    let mut waiting = Box::pin(quarantine.run::<_, Value>("echo", &7));
    assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err(), "must wait for its turn");
    let error = quarantine.run::<_, Value>("echo", &8).await.unwrap_err();
    assert!(matches!(error, QuarantineError::QueueFull { waiting: 1 }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::QueueFull);
    drop(hanging);
    silence(&mut ear).await;
    assert_eq!(waiting.await.unwrap(), json!(7));
}

#[tokio::test]
async fn a_killed_parent_takes_its_reader_along() {
    let line = Line::new();
    let mut parent = tokio::process::Command::new(TROUBLEMAKER)
        .arg("parent")
        .arg(line.address())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (reader, mut ear) = line.listen().await;
    assert_ne!(parent.id(), u32::try_from(reader).ok(), "the reader is a process of its own");
    parent.kill().await.unwrap();
    silence(&mut ear).await;
}

#[tokio::test]
async fn a_reader_without_its_parent_refuses() {
    let output = tokio::process::Command::new(TROUBLEMAKER)
        .args([gifthorse_quarantine::READER_ARGUMENT, "echo", "1"])
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap();
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reply["fault"]["code"], "INTERNAL", "{reply}");
}

/// A socket on which a hanging reader tells its process id; it falls silent when the reader dies.
struct Line {
    folder: PrivateFolder,
    socket: UnixListener,
}

impl Line {
    fn new() -> Self {
        let folder = PrivateFolder::create().unwrap();
        let socket = UnixListener::bind(folder.path().join("line")).unwrap();
        Self { folder, socket }
    }

    fn address(&self) -> String {
        self.folder.path().join("line").to_str().unwrap().to_owned()
    }

    async fn listen(&self) -> (i32, UnixStream) {
        let heard = async {
            let (mut ear, _) = self.socket.accept().await.unwrap();
            let mut process = [0; 4];
            ear.read_exact(&mut process).await.unwrap();
            (i32::from_le_bytes(process), ear)
        };
        tokio::time::timeout(PATIENCE, heard).await.expect("the reader must call")
    }
}

async fn silence(ear: &mut UnixStream) {
    let end = tokio::time::timeout(PATIENCE, ear.read(&mut [0; 1])).await.expect("the reader must die");
    assert_eq!(end.unwrap(), 0);
}

fn exists(process: i32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}
