//! Tests find libtorch where the build found it: its folder is written into them (an rpath). The worker does the
//! same for itself.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = std::env::var_os("LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", PathBuf::from(folder).join("lib").display());
    }
}
