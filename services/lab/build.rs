//! The lab finds libtorch where the build found it: its folder is written into the program (an rpath), before the one
//! that a container image has it in.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(folder) = std::env::var_os("LIBTORCH") else { return };
    let folder = PathBuf::from(folder).join("lib");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    // Nothing calls the library for GPUs by name, so that a linker would leave it out: it announces itself.
    if folder.join("libtorch_cuda.so").exists() {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
