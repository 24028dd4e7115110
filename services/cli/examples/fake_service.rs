//! Stands in for a service in the tests of `gifthorse up`: it announces itself, answers health checks and
//! misbehaves as `FAKE_SERVICE` asks for. Its name is that of the file it was started as
//! (`gifthorse-serving`).
//!
//! * It appends `NAME started PID ARGUMENTS...` and `NAME stopped` to the file that `FAKE_JOURNAL` names.
//! * `FAKE_SERVICE="detector=BEHAVIOUR trainer=..."` sets behaviours; see [`Behaviour`].

use std::io::Write;
use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// Serves until SIGTERM.
    Serves,
    /// Ends at once with status 3 after two lines of log.
    Fails,
    /// Prints something else than the line that says where it listens.
    Babbles,
    /// Listens, and never becomes ready.
    NeverReady,
    /// Ignores SIGTERM.
    Deaf,
}

fn behaviour(name: &str) -> Result<Behaviour, String> {
    let all = std::env::var("FAKE_SERVICE").unwrap_or_default();
    let own = all.split(' ').find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
    match own {
        None => Ok(Behaviour::Serves),
        Some("fails") => Ok(Behaviour::Fails),
        Some("babbles") => Ok(Behaviour::Babbles),
        Some("never_ready") => Ok(Behaviour::NeverReady),
        Some("deaf") => Ok(Behaviour::Deaf),
        Some(other) => Err(format!("{other} is no behaviour")),
    }
}

fn journal(line: &str) -> std::io::Result<()> {
    let Some(path) = std::env::var_os("FAKE_JOURNAL") else { return Ok(()) };
    let mut file = std::fs::File::options().append(true).create(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let (_, name) = program.rsplit_once("gifthorse-").ok_or("not started as a service")?;
    let behaviour = behaviour(name)?;
    let arguments: Vec<String> = arguments.collect();
    // Before the announcement: who reads it may send a signal at once.
    let mut terminate = signal(SignalKind::terminate())?;
    journal(&format!("{name} started {} {}", std::process::id(), arguments.join(" ")))?;
    let mut error = std::io::stderr();
    if behaviour == Behaviour::Fails {
        writeln!(error, "opening the store\nthe store is on fire")?;
        return Ok(ExitCode::from(3));
    }

    let wanted = arguments.iter().find_map(|argument| argument.strip_prefix("service.listen="));
    let listener = TcpListener::bind(wanted.ok_or("service.listen is not set")?).await?;
    let (reporter, health) = tonic_health::server::health_reporter();
    let ready = behaviour != Behaviour::NeverReady;
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    reporter.set_service_status("", status).await;
    let mut output = std::io::stdout();
    if behaviour == Behaviour::Babbles {
        writeln!(output, "hello")?;
    }
    let address = listener.local_addr()?;
    writeln!(output, r#"{{"service":"{name}","grpc":"{address}","admin":"127.0.0.1:1"}}"#)?;
    writeln!(error, "{name} is listening")?;

    let server = tonic::transport::Server::builder().add_service(health);
    tokio::select! {
        ended = server.serve_with_incoming(TcpIncoming::from(listener)) => ended?,
        _ = terminate.recv() => {}
    }
    if behaviour == Behaviour::Deaf {
        writeln!(error, "deaf to the signal")?;
        std::future::pending::<()>().await;
    }
    journal(&format!("{name} stopped"))?;
    Ok(ExitCode::SUCCESS)
}
