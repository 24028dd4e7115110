//! Reads foreign files in a separate process with little memory, little time and no way back.
//!
//! libhdf5 and ONNX Runtime are C and C++: a bad file can crash them, and a crash takes its process along.
//! A service therefore starts its own executable once more for every foreign file, with the reserved first
//! argument [`READER_ARGUMENT`]; the request travels as JSON on stdin, the answer as JSON on stdout, and
//! whatever the libraries print goes to a bounded log on stderr. Files go in and out through a
//! [`PrivateFolder`] whose paths the request names.
//!
//! The service's side is [`Quarantine`]; the reader's side is [`child`], which must be asked at the top of
//! `main`, before an async runtime or a thread exists:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     if let Some(task) = gifthorse_quarantine::child::requested() {
//!         return gifthorse_quarantine::child::serve(&task, |_name, request| Ok(request));
//!     }
//!     ExitCode::SUCCESS
//! }
//! ```

pub mod child;
mod confine;
pub mod error;
pub mod fault;
pub mod folder;
pub mod limits;
mod log;
mod outcome;
pub mod parent;
mod protocol;
mod supervise;

pub use error::QuarantineError;
pub use fault::RemoteFault;
pub use folder::PrivateFolder;
pub use limits::QuarantineLimits;
pub use parent::Quarantine;
pub use protocol::READER_ARGUMENT;
