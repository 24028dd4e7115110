//! Runs the program and takes what it says.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// What a run came to.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) output: String,
    pub(crate) error: String,
}

impl Run {
    /// The lines of standard output as JSON.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let parsed = self.output.lines().map(serde_json::from_str);
        parsed.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error} in {}", self.output))
    }

    /// Standard error as one JSON object.
    pub(crate) fn fatal(&self) -> Value {
        serde_json::from_str(&self.error).unwrap_or_else(|error| panic!("{error} in {}", self.error))
    }
}

/// The program, without what the developer's own environment says.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gifthorse"));
    for variable in ["GIFTHORSE_GATEWAY", "GIFTHORSE_BIN_DIR", "GIFTHORSE_CONFIG", "XDG_DATA_HOME"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program against this gateway.
pub(crate) async fn gifthorse(gateway: &str, arguments: &[&str]) -> Run {
    let output = command().env("GIFTHORSE_GATEWAY", gateway).args(arguments).output().await.unwrap();
    Run {
        status: output.status.code().expect("it ends by itself"),
        output: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    root
}

/// The path of a file in a folder, as an argument.
pub(crate) fn path(folder: &tempfile::TempDir, file: &str) -> String {
    folder.path().join(file).display().to_string()
}
