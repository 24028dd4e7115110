//! Generates messages, clients and servers from `proto/` without protoc, when the `grpc` feature asks for them.

use std::path::Path;
use std::{env, fs};

const FILES: &[&str] = &[
    "gifthorse/v1/alarms.proto",
    "gifthorse/v1/datasets.proto",
    "gifthorse/v1/detection.proto",
    "gifthorse/v1/guard.proto",
    "gifthorse/v1/models.proto",
    "gifthorse/v1/policies.proto",
    "gifthorse/v1/pruning.proto",
    "gifthorse/v1/types.proto",
    "gifthorse/v1/worker.proto",
    "inference/grpc_service.proto",
    "inference/model_config.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto");
    // tonic-prost-build no longer says this itself.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.join("google").display());
    for file in FILES {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    if env::var_os("CARGO_FEATURE_GRPC").is_none() {
        return Ok(());
    }
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(FILES)?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // Tensors and file chunks stay slices of the received buffer instead of being copied.
        .bytes(".inference")
        .bytes(".gifthorse.v1")
        .compile_well_known_types(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
