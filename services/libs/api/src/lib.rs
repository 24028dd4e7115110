//! The language the services speak: generated protobuf messages, clients and servers, and the closed
//! catalogue of errors with its one mapping to gRPC status.
//!
//! Without the `grpc` feature only the [`catalogue`] is here, so that the rooms that know no network
//! (`network`, `dataset`, `engine`, `store`) can name their errors without pulling in tonic.

pub mod catalogue;
pub mod name;

#[cfg(feature = "grpc")]
pub mod contract;
#[cfg(feature = "grpc")]
mod messages;
#[cfg(feature = "grpc")]
pub mod status;

#[cfg(feature = "grpc")]
pub use messages::{FILE_DESCRIPTOR_SET, inference, v1};
