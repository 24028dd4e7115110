//! What the `main` of a service calls.
//!
//! `examples/smallest.rs` is a whole service.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, FromArgMatches};
use tokio::runtime::Runtime;

use crate::configuration::{self, Arguments, Configuration, Outcome, ServiceConfiguration};
use crate::readiness::Readiness;
use crate::rpcs::Rpcs;
use crate::server::{Addresses, Ended, Server, chain};
use crate::shutdown::{Shutdown, Signals};
use crate::tasks::Tasks;
use crate::telemetry;

/// Any error, for a person to read.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// Exit code for wrong flags or a wrong configuration.
const USAGE: u8 = 2;
/// Exit code for a service that could not start or go on.
const FAILURE: u8 = 1;

/// How long threads that block (a model being loaded, say) may keep the process from ending.
const RUNTIME_LIMIT: Duration = Duration::from_secs(1);

/// What a program is.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// The short name, "serving"; the program is `gifthorse-serving`, its variables `GIFTHORSE_SERVING__...`.
    pub name: &'static str,
    /// The version, `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Encoded `FileDescriptorSet`s of the rpc services, for reflection and for the labels of metrics.
    pub descriptors: &'static [&'static [u8]],
}

/// What a service is built with.
#[derive(Debug)]
pub struct Context<C> {
    /// The validated configuration.
    pub configuration: C,
    /// Where to take latches from; take them before returning the rpcs, or the service is ready at once.
    pub readiness: Readiness,
    /// Where to start tasks.
    pub tasks: Tasks,
    /// Whether and when the service stops.
    pub shutdown: Shutdown,
    /// Where the service listens.
    pub addresses: Addresses,
}

/// Runs a service from its flags to its exit code: 0 after an orderly stop, 1 when it could not start or go
/// on, 2 for wrong flags or configuration, 128 + the signal's number after a second signal.
///
/// `build` makes the rpcs. The ports are bound and the admin pages answer while it runs, but no request is
/// taken before it returns: what takes long (loading models) belongs into a task with a latch.
pub fn run<C, B, F>(identity: Identity, build: B) -> ExitCode
where
    C: Configuration,
    B: FnOnce(Context<C>) -> F,
    F: Future<Output = Result<Rpcs, AnyError>>,
{
    run_with(identity, std::env::args_os(), build)
}

/// [`run`] with the command line given, the name of the program first.
pub fn run_with<C, B, F>(
    identity: Identity,
    command_line: impl IntoIterator<Item = OsString>,
    build: B,
) -> ExitCode
where
    C: Configuration,
    B: FnOnce(Context<C>) -> F,
    F: Future<Output = Result<Rpcs, AnyError>>,
{
    let arguments = match parse(identity, command_line) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too, with the exit code 0. A closed pipe is not worth a word.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    let configuration: C = match configuration::load(identity.name, &arguments) {
        Ok(Outcome::Run(configuration)) => configuration,
        Ok(Outcome::Dump(text)) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return failed(identity, USAGE, &error),
    };
    if let Err(error) = telemetry::start_log(&configuration.service().log) {
        return failed(identity, FAILURE, &error);
    }
    let runtime = match runtime(identity, configuration.service()) {
        Ok(runtime) => runtime,
        Err(error) => return failed(identity, FAILURE, &error),
    };
    let ended = runtime.block_on(async {
        let signals = Signals::take()?;
        let shutdown = Shutdown::new();
        tokio::select! {
            ended = serve(identity, configuration, build, &shutdown) => ended,
            () = signals.feed(shutdown.clone()) => Err("the process can take no more signals".into()),
        }
    });
    match ended {
        Ok(ended) => {
            let patience = if ended.forced.is_some() { Duration::ZERO } else { RUNTIME_LIMIT };
            runtime.shutdown_timeout(patience);
            ExitCode::from(ended.exit_code())
        }
        Err(error) => {
            runtime.shutdown_timeout(RUNTIME_LIMIT);
            failed(identity, FAILURE, error.as_ref())
        }
    }
}

async fn serve<C, B, F>(
    identity: Identity,
    configuration: C,
    build: B,
    shutdown: &Shutdown,
) -> Result<Ended, AnyError>
where
    C: Configuration,
    B: FnOnce(Context<C>) -> F,
    F: Future<Output = Result<Rpcs, AnyError>>,
{
    let server = Server::bind(identity, configuration.service(), shutdown.clone()).await?;
    let context = Context {
        configuration,
        readiness: server.readiness().clone(),
        tasks: server.tasks().clone(),
        shutdown: shutdown.clone(),
        addresses: server.addresses(),
    };
    // A latch of its own keeps the admin page honest while the service is being built.
    let starting = server.readiness().latch("start");
    let rpcs = tokio::select! {
        rpcs = build(context) => rpcs?,
        () = shutdown.requested() => return Err("told to stop before the service had started".into()),
    };
    starting.set();
    Ok(server.run(rpcs, |addresses| announce(identity, addresses)).await?)
}

/// The one line on standard output: whoever started the service learns the ports from it.
fn announce(identity: Identity, addresses: Addresses) {
    let line = serde_json::json!({
        "service": identity.name,
        "grpc": addresses.grpc.to_string(),
        "admin": addresses.admin.to_string(),
    });
    let mut output = std::io::stdout().lock();
    if let Err(error) = writeln!(output, "{line}").and_then(|()| output.flush()) {
        tracing::warn!(%error, "cannot announce the ports on standard output");
    }
}

fn parse(
    identity: Identity,
    command_line: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    let program = format!("gifthorse-{}", identity.name);
    let command = clap::Command::new(identity.name).display_name(program.clone()).bin_name(program);
    // What the program is comes last: the flags would put their own description in its place.
    let command =
        Arguments::augment_args(command).version(identity.version).about(identity.about).long_about(None);
    Arguments::from_arg_matches(&command.try_get_matches_from(command_line)?)
}

fn runtime(identity: Identity, configuration: &ServiceConfiguration) -> std::io::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if configuration.runtime.worker_threads > 0 {
        builder.worker_threads(configuration.runtime.worker_threads);
    }
    builder.thread_name(identity.name).enable_all().build()
}

fn failed(identity: Identity, code: u8, error: &dyn Error) -> ExitCode {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "gifthorse-{}: {}", identity.name, chain(error));
    ExitCode::from(code)
}
