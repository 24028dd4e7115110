//! `gifthorse up` with the real services.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gifthorse_tests::program::{path_of, runtime_library};
use serde_json::Value;

use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png};

/// A running `up`; interrupted when it is dropped, so that its services end too.
struct Up {
    child: Child,
    gateway: String,
    ready: Value,
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(path_of("gifthorse"));
    command.args(["up", "--json", "--quiet", "--gateway", "127.0.0.1:0", "--data"]).arg(data);
    if let Some(library) = runtime_library() {
        command.env("ORT_DYLIB_PATH", library);
    }
    command.env_remove("GIFTHORSE_GATEWAY").env_remove("GIFTHORSE_BIN_DIR").stdin(Stdio::null());
    command
}

impl Up {
    fn start(data: &Path) -> Self {
        let mut child = command(data).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).expect("the first line says where the gateway is");
        let gateway = ready["gateway"].as_str().unwrap().to_owned();
        Self { child, gateway, ready }
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = Command::new(path_of("gifthorse"));
        command.env("GIFTHORSE_GATEWAY", &self.gateway).args(arguments).arg("--json");
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Interrupts it as Ctrl-C does and gives its exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.interrupt();
        }
    }
}

/// The processes that this one and its children have started.
fn descendants(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children: Vec<u32> = std::fs::read_to_string(path)
        .unwrap_or_default()
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    children.iter().copied().chain(children.iter().flat_map(|child| descendants(*child))).collect()
}

fn is_alive(process: u32) -> bool {
    // A zombie has ended; only its parent has not looked yet.
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

#[test]
fn the_whole_house_stands_and_falls_together() {
    let folder = tempfile::tempdir().unwrap();
    let data: PathBuf = folder.path().join("data");
    let (network, image) = (folder.path().join("net.onnx"), folder.path().join("a.png"));
    std::fs::write(&network, Linear::new(1).onnx(Ending::Softmax)).unwrap();
    std::fs::write(&image, png(&levels(1))).unwrap();
    let mut up = Up::start(&data);
    assert_eq!(up.ready["data"].as_str().map(Path::new), Some(data.canonicalize().unwrap().as_path()));
    for service in ["gateway", "serving", "detector", "trainer"] {
        for port in ["grpc", "admin"] {
            let address = up.ready["services"][service][port].as_str().unwrap();
            assert!(address.starts_with("127.0.0.1:"), "{service} listens on {address}");
        }
    }
    up.json(&["model", "import", "faces", &network.to_string_lossy()]);
    let before = up.json(&["classify", "faces", &image.to_string_lossy()]).remove(0);
    assert_eq!(before["verdict"], "UNGUARDED");

    let second = command(&data).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&second.stderr).unwrap();
    assert_eq!(error["error"]["code"], "IN_USE");

    let processes = descendants(up.child.id());
    assert!(processes.len() >= 4, "{processes:?}");
    assert!(processes.iter().all(|process| is_alive(*process)));
    assert_eq!(up.interrupt(), Some(0), "Ctrl-C is an orderly end");
    let started = Instant::now();
    while processes.iter().any(|process| is_alive(*process)) {
        assert!(started.elapsed() < Duration::from_secs(5), "processes of the house live on: {processes:?}");
        std::thread::yield_now();
    }

    let up = Up::start(&data);
    let after = up.json(&["classify", "faces", &image.to_string_lossy()]).remove(0);
    assert_eq!(after["probability"], before["probability"], "the data outlive the house");
}
