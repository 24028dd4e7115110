//! `gifthorse model export NAME[@VERSION] [-o FILE] [--format onnx|keras|source]`

use std::path::PathBuf;

use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::export_model_version_request::Format as WireFormat;
use gifthorse_api::v1::export_model_version_response::Content;

use super::Session;
use super::download::{Download, Target};
use crate::error::CommandError;
use crate::output::reply::{FileReply, JsonReply};
use crate::progress::Progress;
use crate::reference::ModelReference;

/// What is written, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// The file to write, replaced when it exists, or a folder [default: the service's name for it, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format
    #[arg(long, default_value = "onnx")]
    format: Format,
}

/// The formats a version can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The served network.
    Onnx,
    /// A full Keras .h5 model, for versions that came from Keras.
    Keras,
    /// The file as it was imported.
    Source,
}

impl From<Format> for WireFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Onnx => Self::Onnx,
            Format::Keras => Self::KerasH5,
            Format::Source => Self::Source,
        }
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::ExportModelVersionRequest {
        name: arguments.name.resource(),
        format: WireFormat::from(arguments.format).into(),
    };
    let target = Target::new(arguments.output);
    let progress = Progress::bytes("receiving", None);
    let receiving = async {
        let mut client = gateway.models();
        let reply = client.export_model_version(request).await.map_err(|status| gateway.refused(status))?;
        let mut stream = reply.into_inner();
        let mut download: Option<Download> = None;
        while let Some(message) = stream.message().await.map_err(|status| gateway.refused(status))? {
            match (message.content, &mut download) {
                (Some(Content::File(file)), None) => {
                    progress.expect_bytes(u64::try_from(file.size).unwrap_or(0));
                    download = Some(target.begin(file)?);
                }
                (Some(Content::Chunk(chunk)), Some(download)) => {
                    download.write(&chunk)?;
                    progress.advance(chunk.len() as u64);
                }
                _ => {
                    let detail = "an export is one description and then chunks of the file";
                    return Err(CommandError::Stream { detail });
                }
            }
        }
        match download {
            Some(download) => download.finish().map_err(CommandError::Download),
            None => Err(CommandError::Stream { detail: "an export ended before its description" }),
        }
    };
    let (path, file) = progress.during(receiving).await?;
    let shown = path.display().to_string();
    if session.output.is_json() {
        return session.output.object(&FileReply { file: &shown, reply: JsonReply::of(&file)? });
    }
    session.output.text(format!("wrote {shown}, {} bytes, sha256 {}", file.size, file.sha256))
}
