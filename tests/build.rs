//! The tests' worker is a worker and finds libtorch as the real one does: by the folder the build found it in.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = std::env::var_os("LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", PathBuf::from(folder).join("lib").display());
    }
}
