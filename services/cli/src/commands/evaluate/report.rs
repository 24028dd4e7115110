//! The report for people, as files in a folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gifthorse_api::v1;
use gifthorse_report::Report;

use crate::error::CommandError;
use crate::output::time;
use crate::progress::Progress;
use crate::reference::short;

/// Makes the folder: one that cannot be made is better known before hours of measuring.
pub(super) fn prepare(folder: &Path) -> Result<(), CommandError> {
    fs::create_dir_all(folder)
        .map_err(|source| CommandError::ReportFolder { path: folder.to_owned(), source })
}

/// Writes the report and gives its page.
pub(super) async fn write(folder: PathBuf, evaluation: v1::Evaluation) -> Result<PathBuf, CommandError> {
    let report = Report {
        title: format!("Evaluation of {}", short(&evaluation.model_version)),
        evaluations: vec![evaluation],
        made_at: time(Some(&SystemTime::now().into())),
        command: command(std::env::args_os().skip(1)),
    };
    let progress = Progress::items("drawing the report", 0);
    progress.stage("drawing the report");
    let drawing = tokio::task::spawn_blocking(move || gifthorse_report::write(&folder, &report));
    Ok(progress.during(drawing).await??.page)
}

/// The command line as it can be typed again.
fn command(arguments: impl Iterator<Item = OsString>) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_./=:,@+%".contains(letter);
    let quoted = arguments.map(|argument| {
        let text = argument.to_string_lossy();
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    });
    std::iter::once("gifthorse".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        let arguments = ["evaluate", "a@1", "--clean", "my faces.h5", "", "it's"].map(OsString::from);
        let expected = r"gifthorse evaluate a@1 --clean 'my faces.h5' '' 'it'\''s'";
        assert_eq!(command(arguments.into_iter()), expected);
    }
}
