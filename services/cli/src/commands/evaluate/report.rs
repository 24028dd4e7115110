//! The report for people, as files in a folder.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use gifthorse_api::v1;
use gifthorse_report::Record;

use crate::error::CommandError;
use crate::output::time;
use crate::progress::Progress;
use crate::reference::short;

/// The folder of a report.
pub(super) struct Folder {
    path: PathBuf,
    /// The report it holds, where it shall be added to.
    earlier: Option<Record>,
}

impl Folder {
    /// Makes the folder and reads what shall be added to: that either is impossible is better known before
    /// hours of measuring. A folder without a report is one to begin with.
    pub(super) fn prepare(path: PathBuf, append: bool) -> Result<Self, CommandError> {
        fs::create_dir_all(&path)
            .map_err(|source| CommandError::ReportFolder { path: path.clone(), source })?;
        let file = path.join("report.json");
        let earlier = if append && file.exists() { Some(gifthorse_report::read(&file)?) } else { None };
        Ok(Self { path, earlier })
    }

    /// Writes the report and gives its page.
    pub(super) async fn write(self, evaluation: v1::Evaluation) -> Result<PathBuf, CommandError> {
        let made_at = time(Some(&SystemTime::now().into()));
        let command = command(std::env::args_os().skip(1));
        let title = format!("Evaluation of {}", short(&evaluation.model_version));
        let own = Record::new(title, made_at.clone(), command, &[evaluation])?;
        let record = match self.earlier {
            Some(earlier) => with_earlier(earlier, own, made_at)?,
            None => own,
        };
        let progress = Progress::items("drawing the report", 0);
        progress.stage("drawing the report");
        let path = self.path;
        let drawing = tokio::task::spawn_blocking(move || gifthorse_report::write_record(&path, &record));
        Ok(progress.during(drawing).await??.page)
    }
}

/// One report on both. What was measured again, the same network under the same policy on the same images, takes the
/// place of what was measured before.
fn with_earlier(mut earlier: Record, own: Record, made_at: String) -> Result<Record, CommandError> {
    earlier.evaluations.retain(|old| {
        own.evaluations.iter().all(|new| {
            (&old.network, &old.policy, &old.clean_dataset) != (&new.network, &new.policy, &new.clean_dataset)
        })
    });
    let mut networks: Vec<String> = Vec::new();
    for evaluation in earlier.evaluations.iter().chain(&own.evaluations) {
        let network = short(&evaluation.network).to_string();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    let title = format!("Evaluation of {}", networks.join(", "));
    Ok(Record::merge(title, made_at, [earlier, own])?)
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
