//! Generated code, one module a protobuf package.

#![allow(
    clippy::pedantic,
    clippy::all,
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    reason = "generated code follows prost's habits, not ours"
)]

/// `gifthorse.v1`: our own services.
pub mod v1 {
    tonic::include_proto!("gifthorse.v1");
}

/// `inference`: the Open Inference Protocol v2 with Triton's extensions.
pub mod inference {
    tonic::include_proto!("inference");
}

/// All our files and what they import, for server reflection and for the JSON mapping.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
