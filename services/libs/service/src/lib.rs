//! What every gifthorse service needs once.
//!
//! A service is a `main.rs` of some thirty lines: it hands [`main_support::run`] its [`Identity`] and a
//! closure that builds its [`Rpcs`] out of a [`Context`](main_support::Context). Everything else lives here:
//!
//! * [`configuration`]: defaults < file < environment < flags, unknown keys refused;
//! * [`telemetry`] and [`metric_names`]: logs on standard error, Prometheus metrics;
//! * [`readiness`], the health service and the admin listener: SERVING only when every latch is set;
//! * [`tasks`]: the one place that spawns; every task has a name and a policy;
//! * [`shutdown`]: the order in which a service ends, each step bounded;
//! * [`server`]: listeners, limits and the layer that measures and sheds;
//! * [`deadline`] and [`client`]: how a service calls another one.

mod admin;
pub mod client;
pub mod configuration;
mod connections;
pub mod deadline;
mod health;
pub mod main_support;
pub mod metric_names;
mod not_built;
mod observe;
pub mod overload;
mod oversize;
pub mod readiness;
pub mod request;
mod response_body;
mod rpc_table;
pub mod rpcs;
pub mod server;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod transfer;

pub use configuration::{
    ByteSize, Configuration, Secret, ServiceConfiguration, StoreConfiguration, Validate,
};
pub use deadline::Deadline;
pub use main_support::{Context, Identity};
pub use readiness::{Latch, Readiness};
pub use rpcs::Rpcs;
pub use shutdown::Shutdown;
pub use tasks::{OnError, Tasks};
