//! A model as data: reading foreign networks, checking them and writing them again. Knows no runtime.
//!
//! Everything a foreign file says is distrusted here: counts and sizes are checked before memory is
//! reserved, nothing is executed, and each refusal names what was wrong. The functions are still meant to
//! run inside the quarantined reader process, because libhdf5 can crash on bad files.

pub mod architecture;
pub mod description;
pub mod error;
#[cfg(feature = "keras")]
pub mod keras;
pub mod onnx;
pub mod surgery;

pub use description::{Imported, Layout, NetworkDescription};
pub use error::NetworkError;
