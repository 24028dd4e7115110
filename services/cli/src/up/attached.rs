//! Programs that end with the process that started them.
//!
//! `up` starts every service through `gifthorse attached`: that process asks the kernel to be sent SIGTERM
//! when its parent is gone, and then becomes the service. So no service outlives an `up` that was killed, and
//! the services need to know nothing about it. The kernel watches the thread that started the process; `up`
//! runs on one thread, which lives as long as it does.
//!
//! Where the kernel offers no such thing the service is run plainly.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::error::UpError;

/// What to run, and for whom.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The process that this one shall not outlive
    #[arg(long, value_name = "PID")]
    parent: i32,
    /// The program
    #[arg(required = true)]
    program: OsString,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Becomes the program; returns only when that fails.
pub fn run(arguments: &Arguments) -> Result<Infallible, UpError> {
    let failed =
        |source| UpError::Attach { program: arguments.program.to_string_lossy().into_owned(), source };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};

        set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| failed(error.into()))?;
        // A parent that went before the line above is not noticed by the kernel.
        if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(arguments.parent) {
            return Err(UpError::ParentGone);
        }
    }
    Err(failed(Command::new(&arguments.program).args(&arguments.rest).exec()))
}
