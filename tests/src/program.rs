//! One of the programs, as a child process.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to say where it listens, and to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the programs of this build are.
///
/// # Panics
///
/// When the program was not built.
pub fn path_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    // target/debug/deps/test -> target/debug/name
    let folder = test.parent().and_then(Path::parent).expect("a test lies in deps");
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Where it listens for gRPC.
    pub grpc: SocketAddr,
    /// Where it listens for `/live`, `/ready` and `/metrics`.
    pub admin: SocketAddr,
}

impl Program {
    /// Starts `gifthorse-NAME` with these settings and waits for its ready line. Its log goes into `folder`.
    ///
    /// # Panics
    ///
    /// When it does not start; the panic shows its log.
    pub fn start(name: &'static str, settings: &[(String, String)], folder: &Path) -> Self {
        Self::start_at(name, "127.0.0.1:0", settings, folder)
    }

    /// [`Program::start`] at an address of its own: where one that ended was, say.
    ///
    /// # Panics
    ///
    /// When it does not start; the panic shows its log.
    pub fn start_at(name: &'static str, listen: &str, settings: &[(String, String)], folder: &Path) -> Self {
        Self::start_in::<&str, &str>(name, listen, settings, &[], folder)
    }

    /// [`Program::start_at`] with variables of its own in its environment.
    ///
    /// # Panics
    ///
    /// When it does not start; the panic shows its log.
    pub fn start_in<Name: AsRef<OsStr>, Value: AsRef<OsStr>>(
        name: &'static str,
        listen: &str,
        settings: &[(String, String)],
        environment: &[(Name, Value)],
        folder: &Path,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new(path_of(&format!("gifthorse-{name}")));
        command.args(["--listen", listen, "--admin-listen", "127.0.0.1:0"]);
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        if let Some(library) = runtime_library() {
            command.env("ORT_DYLIB_PATH", library);
        }
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("TMPDIR", folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let append = File::options().create(true).append(true).open(&log).expect("the log opens");
        let mut child = command.stderr(append).spawn().expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        let read = BufReader::new(stdout).read_line(&mut line);
        let ready = read.ok().and_then(|_| serde_json::from_str::<serde_json::Value>(&line).ok());
        let Some(ready) = ready else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("gifthorse-{name} did not start: {}", read_log(&log));
        };
        let address = |key: &str| -> SocketAddr {
            ready[key].as_str().and_then(|text| text.parse().ok()).expect("an address in the ready line")
        };
        let (grpc, admin) = (address("grpc"), address("admin"));
        Self { name, child, log, grpc, admin }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        read_log(&self.log)
    }

    /// Whether it is still there.
    ///
    /// # Panics
    ///
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Sends a signal by name (`TERM`, `INT`, `KILL`, `STOP`, `CONT`).
    ///
    /// # Panics
    ///
    /// When `kill` fails.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([format!("-{signal}"), self.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "cannot signal gifthorse-{}", self.name);
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end; the panic shows its log.
    pub fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "gifthorse-{} does not end: {}", self.name, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory, in bytes.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub fn memory_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most resident memory it ever had, in bytes.
    ///
    /// # Panics
    ///
    /// When the process is gone.
    pub fn peak_memory_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a live process");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a figure of memory");
        let kibibytes: u64 =
            line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
        kibibytes * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "the log of a failed test is what explains it")]
            {
                eprintln!("--- log of gifthorse-{}\n{}", self.name, self.log());
            }
        }
    }
}

/// The ONNX Runtime library: `ORT_DYLIB_PATH`, or for tests that were started without make the one that
/// `make runtime` fetched.
pub fn runtime_library() -> Option<PathBuf> {
    if let Some(library) = std::env::var_os("ORT_DYLIB_PATH") {
        return Some(library.into());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.runtime");
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut libraries = files.filter(|path| path.to_string_lossy().contains("libonnxruntime.so"));
    libraries.next()
}

fn read_log(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
