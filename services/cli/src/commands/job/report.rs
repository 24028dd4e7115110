//! `gifthorse job report ID [-o DIR]`

use std::path::{Path, PathBuf};

use gifthorse_api::v1;
use gifthorse_api::v1::get_pruning_report_response::Content;

use super::Session;
use crate::client::Gateway;
use crate::commands::model::download::{Download, DownloadError, Target};
use crate::error::CommandError;
use crate::output::reply::{FileReply, JsonReply};
use crate::progress::Progress;
use crate::reference::{JobReference, short};

/// Which report, and where it goes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The job: ID or pruningJobs/ID
    #[arg(value_name = "ID")]
    name: JobReference,
    /// The folder to write into; files that are there are replaced [default: one named like the job, here]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let name = arguments.name.resource();
    let folder = arguments.output.unwrap_or_else(|| short(&name).to_string().into());
    let progress = Progress::bytes("receiving", None);
    let files = progress.during(receive(&gateway, name, &folder, &progress)).await?;
    for (path, file) in files {
        let shown = path.display().to_string();
        if session.output.is_json() {
            session.output.object(&FileReply { file: &shown, reply: JsonReply::of(&file)? })?;
        } else {
            session.output.text(format!("wrote {shown}, {} bytes", file.size))?;
        }
    }
    Ok(())
}

/// Writes the files that the stream brings, each checked before it takes its place.
async fn receive(
    gateway: &Gateway,
    name: String,
    folder: &Path,
    progress: &Progress,
) -> Result<Vec<(PathBuf, v1::ArtefactFile)>, CommandError> {
    let call = gateway.pruning_jobs().get_pruning_report(v1::GetPruningReportRequest { name }).await;
    let mut stream = call.map_err(|status| gateway.refused(status))?.into_inner();
    let unusable = |source| CommandError::ReportFolder { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    let (mut files, mut open): (Vec<_>, Option<Download>) = (Vec::new(), None);
    while let Some(message) = stream.message().await.map_err(|status| gateway.refused(status))? {
        match (message.content, &mut open) {
            (Some(Content::File(file)), _) => {
                if let Some(finished) = open.take() {
                    files.push(finished.finish()?);
                }
                open = Some(begin(folder, file)?);
            }
            (Some(Content::Chunk(chunk)), Some(download)) => {
                progress.advance(chunk.len() as u64);
                download.write(&chunk)?;
            }
            (Some(Content::Chunk(_)), None) | (None, _) => {
                return Err(CommandError::Stream { detail: "a report has bytes of no file" });
            }
        }
    }
    if let Some(finished) = open {
        files.push(finished.finish()?);
    }
    Ok(files)
}

fn begin(folder: &Path, file: v1::ArtefactFile) -> Result<Download, DownloadError> {
    // The name comes over the network: only a plain one is taken.
    let suggested = Path::new(&file.file_name);
    match suggested.file_name().filter(|name| *name == suggested.as_os_str()) {
        Some(name) => Target::File(folder.join(name)).begin(file),
        None => Err(DownloadError::NoName { suggested: file.file_name }),
    }
}
