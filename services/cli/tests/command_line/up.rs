//! `gifthorse up` with stand-ins for the services (`examples/fake_service.rs`).

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::program;

/// A folder with programs, data and the journal of the stand-ins.
struct House {
    root: tempfile::TempDir,
}

/// A running `up`.
struct Up {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
    error: Lines<BufReader<ChildStderr>>,
}

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let fake = Path::new(env!("CARGO_BIN_EXE_gifthorse")).with_file_name("examples").join("fake_service");
        assert!(fake.is_file(), "build {} by `cargo build -p gifthorse --examples`", fake.display());
        for service in ["gateway", "serving", "detector", "trainer"] {
            std::os::unix::fs::symlink(&fake, root.path().join(format!("gifthorse-{service}"))).unwrap();
        }
        Self { root }
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn up(&self, behaviour: &str, arguments: &[&str]) -> Up {
        let mut command = program::command();
        command.env("GIFTHORSE_BIN_DIR", self.root.path());
        command.env("FAKE_JOURNAL", self.root.path().join("journal")).env("FAKE_SERVICE", behaviour);
        command.args(["up", "--json", "--gateway", "127.0.0.1:0", "--data"]).arg(self.data()).args(arguments);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        let error = BufReader::new(process.stderr.take().unwrap()).lines();
        Up { process, output, error }
    }

    fn journal(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root.path().join("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The services that said that they stopped, in that order.
    fn stopped(&self) -> Vec<String> {
        self.journal().iter().filter_map(|line| line.strip_suffix(" stopped").map(str::to_owned)).collect()
    }

    fn started(&self, service: &str) -> String {
        let start = format!("{service} started ");
        let journal = self.journal();
        journal.iter().find_map(|line| line.strip_prefix(&start)).expect("it was started").to_owned()
    }

    fn process(&self, service: &str) -> Pid {
        let line = self.started(service);
        Pid::from_raw(line.split(' ').next().unwrap().parse().unwrap()).unwrap()
    }
}

impl Up {
    /// The line that says that everything is ready.
    async fn ready(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap();
        serde_json::from_str(&line.expect("it becomes ready")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Reads standard error up to a line that holds this text.
    async fn says(&mut self, text: &str) {
        while let Some(line) = self.error.next_line().await.unwrap() {
            if line.contains(text) {
                return;
            }
        }
        panic!("{text:?} was never said");
    }

    /// Waits for the end; gives what was still said on standard error.
    async fn end(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.error.into_inner().read_to_string(&mut rest).await.unwrap();
        (self.process.wait().await.unwrap(), rest)
    }
}

/// The last line of standard error, where a fatal error is.
fn fatal(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap()).unwrap_or_else(|error| panic!("{error} in {said}"))
}

#[tokio::test]
async fn it_starts_back_to_front_and_stops_front_to_back() {
    let house = House::new();
    let mut up = house.up("", &[]);
    let ready = up.ready().await;
    let data = house.data().canonicalize().unwrap();
    assert_eq!(ready["data"], data.to_str().unwrap());
    assert_eq!(ready["gateway"], ready["services"]["gateway"]["grpc"]);
    for service in ["gateway", "serving", "detector", "trainer"] {
        let address = ready["services"][service]["grpc"].as_str().unwrap();
        assert!(address.starts_with("127.0.0.1:") && !address.ends_with(":0"), "{ready}");
    }
    let gateway = house.started("gateway");
    for upstream in ["serving", "detector", "trainer"] {
        let address = ready["services"][upstream]["grpc"].as_str().unwrap();
        assert!(
            gateway.contains(&format!("--set upstream.{upstream}.urls=[\"http://{address}\"]")),
            "{gateway}"
        );
        let started = house.started(upstream);
        let store = data.join("store");
        assert!(started.contains(&format!("--set store.url={}", store.display())), "{started}");
        assert!(started.contains("--set service.admin_listen=127.0.0.1:0"), "{started}");
    }
    let serving = ready["services"]["serving"]["grpc"].as_str().unwrap();
    let asked = format!("--set upstream.serving.urls=[\"http://{serving}\"]");
    assert!(house.started("detector").contains(&asked), "the detector asks serving for linked networks");
    assert!(house.journal().first().unwrap().starts_with("serving started"));
    assert!(house.journal().last().unwrap().starts_with("gateway started"));

    up.signal(Signal::INT);
    let (status, said) = up.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert_eq!(house.stopped(), ["gateway", "trainer", "detector", "serving"]);
}

#[tokio::test]
async fn a_service_that_dies_takes_the_house_with_it() {
    let house = House::new();
    let mut up = house.up("", &[]);
    up.ready().await;
    kill_process(house.process("detector"), Signal::KILL).unwrap();
    let (status, said) = up.end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let message = fatal(&said)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("detector ended by itself (signal: 9"), "{message}");
    assert!(message.contains("detector is listening"), "its last words: {message}");
    assert_eq!(house.stopped(), ["gateway", "trainer", "serving"]);
}

#[tokio::test]
async fn a_service_that_cannot_start_is_reported_with_its_last_words() {
    let house = House::new();
    let (status, said) = house.up("trainer=fails", &["--quiet"]).end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let error = fatal(&said);
    assert_eq!(error["error"]["code"], "SERVICE_UNAVAILABLE");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("trainer ended by itself (exit status: 3)"), "{message}");
    assert!(message.ends_with("opening the store\n    the store is on fire"), "{message}");
    assert!(house.journal().iter().all(|line| !line.starts_with("gateway")), "the gateway is not started");
}

#[tokio::test]
async fn a_wrong_announcement_is_quoted() {
    let house = House::new();
    let (status, said) = house.up("serving=babbles", &[]).end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let message = fatal(&said)["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, "serving announced itself by \"hello\" instead of saying where it listens");
}

#[tokio::test]
async fn it_gives_up_when_a_service_is_never_ready() {
    let house = House::new();
    let (status, said) = house.up("serving=never_ready", &["--timeout", "1"]).end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let message = fatal(&said)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("the services are not ready after 1 s"), "{message}");
    assert!(message.contains("serving: serving is listening"), "{message}");
    assert_eq!(house.stopped().len(), 4);
}

#[tokio::test]
async fn a_second_signal_ends_everything_at_once() {
    let house = House::new();
    let mut up = house.up("gateway=deaf", &[]);
    up.ready().await;
    let serving = pidfd_open(house.process("serving"), PidfdFlags::empty()).unwrap();
    up.signal(Signal::TERM);
    up.says("deaf to the signal").await;
    up.signal(Signal::TERM);
    let (status, said) = up.end().await;
    assert_eq!(status.code(), Some(0), "{said}");
    ended(serving).await;
    assert!(house.stopped().is_empty(), "nobody was given the time to stop");
}

#[tokio::test]
async fn the_services_end_when_it_is_killed() {
    let house = House::new();
    let mut up = house.up("", &[]);
    up.ready().await;
    let services = ["gateway", "trainer", "detector", "serving"];
    let processes = services.map(|service| pidfd_open(house.process(service), PidfdFlags::empty()).unwrap());
    up.signal(Signal::KILL);
    for process in processes {
        ended(process).await;
    }
    assert_eq!(house.stopped().len(), 4, "each was asked to stop");
}

#[tokio::test]
async fn one_house_lives_in_a_data_folder() {
    let house = House::new();
    let mut first = house.up("", &[]);
    first.ready().await;
    let (status, said) = house.up("", &[]).end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let error = fatal(&said);
    assert_eq!(error["error"]["code"], "IN_USE");
    let holder = format!("(process {})", first.process.id().unwrap());
    assert!(error["error"]["message"].as_str().unwrap().contains(&holder), "{error}");
    first.signal(Signal::TERM);
    assert_eq!(first.end().await.0.code(), Some(0));

    let mut again = house.up("", &[]);
    again.ready().await;
    again.signal(Signal::TERM);
    assert_eq!(again.end().await.0.code(), Some(0));
}

#[tokio::test]
async fn an_address_elsewhere_cannot_be_listened_on() {
    let run = program::gifthorse("gate.example:80", &["up"]).await;
    assert_eq!(run.status, 2);
    assert!(run.error.contains("not an address of this machine"), "{}", run.error);
}

/// Waits until a process has ended, whoever its parent is.
async fn ended(process: OwnedFd) {
    let wait = move || poll(&mut [PollFd::new(&process, PollFlags::IN)], None);
    tokio::task::spawn_blocking(wait).await.unwrap().unwrap();
}
