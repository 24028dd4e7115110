//! An S3-like store of a foreign make (SeaweedFS), started for one test in a folder of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_mins(1);
/// The program's own gRPC ports lie so far above the ports it is given.
const APART: u16 = 10_000;
/// Where its ports lie.
const LOWEST: u16 = 10_000;
const PORTS: u16 = 12_000;
/// Starts that are tried.
const ATTEMPTS: usize = 3;
const KEY: &str = "gifthorse";
const SECRET: &str = "a secret of the tests";
const NAME: &str = "artefacts";
/// Where `make seaweedfs` puts the program, from the root of the repository.
const PROGRAM: &str = ".tools/seaweedfs/bin/weed";

/// A running store with one bucket. It ends when this is dropped.
#[derive(Debug)]
pub struct Bucket {
    server: Child,
    endpoint: SocketAddr,
    folder: TempDir,
}

impl Bucket {
    /// Starts it. Says loudly what is skipped where the program is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start; and instead of skipping, when `GIFTHORSE_REQUIRE_ALL` is set, as in CI.
    pub fn start(wanted_for: &str) -> Option<Self> {
        let Some(program) = program() else {
            let message = format!("{wanted_for} needs SeaweedFS: run `make seaweedfs`");
            assert!(std::env::var_os("GIFTHORSE_REQUIRE_ALL").is_none(), "{message}");
            #[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
            {
                eprintln!("SKIPPED: {message}");
            }
            return None;
        };
        // Somebody else may take a port between the look for it and its use.
        (0..ATTEMPTS).find_map(|_| Self::attempt(&program)).or_else(|| panic!("SeaweedFS does not start"))
    }

    /// None where it ended at once.
    fn attempt(program: &Path) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let [master, volume, filer, endpoint] = free_ports();
        let accounts = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
            "actions": ["Admin", "Read", "Write", "List"],
        }] });
        let configuration = folder.path().join("accounts.json");
        std::fs::write(&configuration, accounts.to_string()).expect("the accounts are written");
        let log = std::fs::File::create(folder.path().join("log")).expect("the log opens");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder for its data");
        let mut command = Command::new(program);
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.arg(format!("-dir={}", data.display()));
        command.arg(format!("-s3.config={}", configuration.display()));
        for (name, port) in
            [("master.port", master), ("volume.port", volume), ("filer.port", filer), ("s3.port", endpoint)]
        {
            command.arg(format!("-{name}={port}"));
        }
        command.args([
            "-volume.max=50",
            "-master.volumeSizeLimitMB=64",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let server = command.spawn().expect("SeaweedFS starts");
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let mut bucket = Self { server, endpoint: at(endpoint), folder };
        // A folder of this place is a bucket: it is there as soon as filer and volumes are.
        let started = Instant::now();
        while !(Self::makes_bucket(at(filer)) && TcpStream::connect(bucket.endpoint).is_ok()) {
            assert!(started.elapsed() < PATIENCE, "SeaweedFS does not start: {}", bucket.said());
            if bucket.server.try_wait().is_ok_and(|ended| ended.is_some()) {
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(bucket)
    }

    /// The store's address for one test.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{NAME}/{prefix}")
    }

    /// What programs must have in their environment to use it.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.environment_with(SECRET)
    }

    /// The same with a secret that is not the store's.
    pub fn environment_with(&self, secret: &str) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT", format!("http://{}", self.endpoint)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn makes_bucket(filer: SocketAddr) -> bool {
        let Ok(mut connection) = TcpStream::connect(filer) else { return false };
        let request = format!(
            "POST /buckets/{NAME}/ HTTP/1.1\r\nHost: {filer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let mut answer = String::new();
        connection.write_all(request.as_bytes()).is_ok()
            && connection.read_to_string(&mut answer).is_ok()
            // Made now, or when this was asked before.
            && ["HTTP/1.1 20", "HTTP/1.1 409"].iter().any(|made| answer.starts_with(made))
    }

    fn said(&self) -> String {
        let said = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        said.lines().rev().take(20).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Its data are thrown away with the folder.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn program() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join(PROGRAM);
    std::env::var_os("GIFTHORSE_SEAWEEDFS").map(PathBuf::from).or(Some(own)).filter(|path| path.is_file())
}

/// Ports that are free, and whose neighbours far above are as well.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let mut held = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < COUNT {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        // Ports that the system hands out, to callers as well, lie above these and their neighbours.
        let port = LOWEST + port % PORTS;
        let both = [port, port + APART].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if both.iter().all(Result::is_ok) {
            ports.push(port);
            held.extend(both);
        }
    }
    ports.try_into().expect("as many as asked for")
}
