//! One file a command.

pub mod calibrate;
pub mod calibration;
pub mod classify;
mod data;
pub mod dataset;
pub mod evaluate;
mod findings;
mod in_order;
pub mod job;
pub mod lab;
pub mod model;
mod overrides;
mod pictures;
pub mod policy;
mod promise;
pub mod prune;
pub mod scan;
mod task;
pub mod up;

use std::process::ExitCode;

use crate::address::GatewayAddress;
use crate::client::Gateway;
use crate::error::{CommandError, DONE, FAILED, USAGE};
use crate::output::Output;

/// What every command works with.
pub struct Session {
    /// The gateway to talk to; for `up`, the one to open.
    pub gateway: GatewayAddress,
    /// Standard output.
    pub output: Output,
}

impl Session {
    /// Connects to the gateway.
    pub async fn connect(&self) -> Result<Gateway, CommandError> {
        Gateway::connect(&self.gateway).await
    }
}

/// How a command that ran to its end came out. Ordered: the worst item decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything was done.
    Done,
    /// Some items were refused; each has said so.
    ItemsRefused,
    /// Some items are local files that cannot be read; each has said so.
    ItemsUnreadable,
}

impl Outcome {
    /// The exit status that the command ends with.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Done => DONE,
            Self::ItemsRefused => FAILED,
            Self::ItemsUnreadable => USAGE,
        }
    }

    /// [`exit_status`](Self::exit_status) for `main`.
    pub fn exit_code(self) -> ExitCode {
        self.exit_status().into()
    }
}
