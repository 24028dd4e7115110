//! The command line and the services' own flags.

mod commands;
mod services;
mod up;
