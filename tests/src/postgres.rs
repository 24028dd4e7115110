//! A PostgreSQL server of the machine's own packages, started for one test on a socket in a folder of its own.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start and to stop.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where Debian's packages put the programs of each release.
const RELEASES: &str = "/usr/lib/postgresql";
/// The system's account of the server, for tests that are run as root: the server refuses that.
const ACCOUNT: &str = "postgres";

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    server: Option<Child>,
}

impl Postgres {
    /// Starts a server. Says loudly what is skipped where the programs are not installed.
    ///
    /// # Panics
    ///
    /// When it does not start; and instead of skipping, when `GIFTHORSE_REQUIRE_ALL` is set, as in CI.
    pub fn start(wanted_for: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(
                std::env::var_os("GIFTHORSE_REQUIRE_ALL").is_none(),
                "{wanted_for} needs PostgreSQL, and there is none in {RELEASES}: install the package postgresql"
            );
            #[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
            {
                eprintln!(
                    "SKIPPED: {wanted_for} needs PostgreSQL, and there is none in {RELEASES}: install the \
                     package postgresql"
                );
            }
            return None;
        };
        let folder = TempDir::new().expect("a temporary folder");
        if let Some((user, group)) = account() {
            chown(folder.path(), Some(user), Some(group)).expect("the folder can be given away");
        }
        let mut postgres = Self { programs, folder, server: None };
        let data = postgres.data();
        let mut command = postgres.command("initdb");
        command.args(["--no-sync", "--auth=trust", "--username=gifthorse", "--pgdata"]).arg(data);
        let made = command.output().expect("initdb runs");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        postgres.go_on();
        Some(postgres)
    }

    /// Starts the server again after [`Postgres::stop`].
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn go_on(&mut self) {
        let data = self.data();
        let socket = self.folder.path().to_owned();
        let log = std::fs::File::options().create(true).append(true).open(self.log());
        let mut command = self.command("postgres");
        command.arg("-D").arg(data).arg("-k").arg(socket);
        // No address at all: the socket is enough, and nobody else finds it. What a crash loses is not missed.
        command.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"]);
        command.stdout(Stdio::null()).stderr(log.expect("the log opens"));
        self.server = Some(command.spawn().expect("the server starts"));
        let started = Instant::now();
        while !self.answers() {
            assert!(started.elapsed() < PATIENCE, "PostgreSQL does not start: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server, cutting its connections.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // SIGINT is its fast shutdown.
        let told = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
        assert!(told.expect("kill runs").success(), "PostgreSQL cannot be told to stop");
        let started = Instant::now();
        while server.try_wait().expect("a child can be asked").is_none() {
            assert!(started.elapsed() < PATIENCE, "PostgreSQL does not stop: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes a database and gives its URL.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn database(&self, name: &str) -> String {
        let socket = self.folder.path().to_owned();
        let mut command = self.command("createdb");
        command.arg("--host").arg(&socket).args(["--username=gifthorse", name]);
        let made = command.output().expect("createdb runs");
        assert!(made.status.success(), "createdb failed: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://gifthorse@localhost/{name}?host={}", socket.display())
    }

    fn answers(&self) -> bool {
        let socket = self.folder.path().to_owned();
        let mut ask = self.command("psql");
        ask.arg("--host").arg(socket);
        ask.args(["--username=gifthorse", "--dbname=postgres", "--command=SELECT 1"]);
        ask.output().is_ok_and(|output| output.status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A program of the packages, run by the account that may.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = match account() {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
                command.arg("--clear-groups").arg("--").arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("PGHOST").env_remove("PGPORT").env_remove("PGUSER").env_remove("PGDATABASE");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            // SIGQUIT is its immediate shutdown: the data are thrown away with the folder.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }
}

/// The programs of the newest release that is installed.
fn programs() -> Option<PathBuf> {
    let releases = std::fs::read_dir(RELEASES).ok()?.flatten().map(|entry| entry.path().join("bin"));
    let mut whole: Vec<PathBuf> = releases.filter(|folder| folder.join("initdb").is_file()).collect();
    whole.sort();
    whole.pop()
}

/// User and group of the server's account, where this test is run as root.
fn account() -> Option<(u32, u32)> {
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").ok()?) == 0;
    if !root {
        return None;
    }
    let accounts = std::fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    let line = accounts.lines().find_map(|line| line.strip_prefix(ACCOUNT)?.strip_prefix(':'))?;
    let mut fields = line.split(':').skip(1);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
