//! `gifthorse model export NAME[@VERSION] [-o FILE] [--format onnx|keras|source | --guarded]`

use std::path::PathBuf;

use bytes::Bytes;
use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::export_model_version_request::Format as WireFormat;
use tonic::Streaming;

use super::Session;
use super::download::{Download, Target};
use crate::client::Gateway;
use crate::detection::Fraction;
use crate::error::CommandError;
use crate::output::reply::{FileReply, JsonReply};
use crate::progress::Progress;
use crate::reference::{CalibrationReference, ModelReference};

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
    /// Write one self-contained ONNX file that takes a picture and answers with index M, STRIP's entropy and
    /// the verdict; overlays and threshold are inside
    #[arg(long, conflicts_with = "format")]
    guarded: bool,
    /// The calibration that gives overlays and threshold [default: the newest one with `strip_entropy`]
    #[arg(long, value_name = "ID", requires = "guarded")]
    calibration: Option<CalibrationReference>,
    /// The fraction of clean inputs that may be rejected [default: 0.01]
    #[arg(long, value_name = "FRACTION", requires = "guarded")]
    alpha: Option<Fraction>,
    /// Hold alpha with this confidence for every single calibration (PAC rule) instead of on average
    #[arg(long, value_name = "FRACTION", requires = "guarded")]
    confidence: Option<Fraction>,
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

/// One message of an export.
enum Piece {
    File(v1::ArtefactFile),
    Chunk(Bytes),
    Empty,
}

impl From<v1::ExportModelVersionResponse> for Piece {
    fn from(message: v1::ExportModelVersionResponse) -> Self {
        use v1::export_model_version_response::Content;
        match message.content {
            Some(Content::File(file)) => Self::File(file),
            Some(Content::Chunk(chunk)) => Self::Chunk(chunk),
            None => Self::Empty,
        }
    }
}

impl From<v1::ExportGuardedModelResponse> for Piece {
    fn from(message: v1::ExportGuardedModelResponse) -> Self {
        use v1::export_guarded_model_response::Content;
        match message.content {
            Some(Content::File(file)) => Self::File(file),
            Some(Content::Chunk(chunk)) => Self::Chunk(chunk),
            None => Self::Empty,
        }
    }
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let target = Target::new(arguments.output.clone());
    let progress = Progress::bytes("receiving", None);
    let receiving = async {
        if arguments.guarded {
            let call = gateway.detection().export_guarded_model(arguments.guarded_request()).await;
            let stream = call.map_err(|status| gateway.refused(status))?;
            receive(&gateway, stream.into_inner(), &target, &progress).await
        } else {
            let call = gateway.models().export_model_version(arguments.request()).await;
            let stream = call.map_err(|status| gateway.refused(status))?;
            receive(&gateway, stream.into_inner(), &target, &progress).await
        }
    };
    let (path, file) = progress.during(receiving).await?;
    let shown = path.display().to_string();
    if session.output.is_json() {
        return session.output.object(&FileReply { file: &shown, reply: JsonReply::of(&file)? });
    }
    session.output.text(format!("wrote {shown}, {} bytes, sha256 {}", file.size, file.sha256))
}

impl Arguments {
    fn request(&self) -> v1::ExportModelVersionRequest {
        let format = WireFormat::from(self.format).into();
        v1::ExportModelVersionRequest { name: self.name.resource(), format }
    }

    fn guarded_request(&self) -> v1::ExportGuardedModelRequest {
        v1::ExportGuardedModelRequest {
            model: self.name.resource(),
            calibration: self.calibration.as_ref().map(CalibrationReference::resource).unwrap_or_default(),
            alpha: Fraction::or_zero(self.alpha),
            confidence: Fraction::or_zero(self.confidence),
        }
    }
}

/// Writes the file that a stream brings; gives its place and what was announced.
async fn receive<Message: Into<Piece>>(
    gateway: &Gateway,
    mut stream: Streaming<Message>,
    target: &Target,
    progress: &Progress,
) -> Result<(PathBuf, v1::ArtefactFile), CommandError> {
    let mut download: Option<Download> = None;
    while let Some(message) = stream.message().await.map_err(|status| gateway.refused(status))? {
        match (message.into(), &mut download) {
            (Piece::File(file), None) => {
                progress.expect_bytes(u64::try_from(file.size).unwrap_or(0));
                download = Some(target.begin(file)?);
            }
            (Piece::Chunk(chunk), Some(download)) => {
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
}
