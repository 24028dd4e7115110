//! `gifthorse scan NAME FILE...`

mod human;

use std::path::PathBuf;

use gifthorse_api::v1;

use super::overrides::Overrides;
use super::promise::Named;
use super::{Outcome, Session, in_order, pictures};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::ModelReference;

/// What is scanned, by which model's detectors.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// PNG, JPEG, BMP or WebP files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Let every detector run to its end, so that scores and p-values are exact and not bounds
    #[arg(long)]
    exact: bool,
    /// Show into which classes the perturbed copies fell
    #[arg(long)]
    votes: bool,
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    overrides: Overrides,
}

impl Arguments {
    /// The request for one picture, without the picture.
    fn request(&self, record: &v1::Preprocessing) -> v1::ScanRequest {
        let mut overrides = self.overrides.message();
        if record.layout() != v1::layout::Kind::Nhwc {
            // Decoded pictures have their channels last, whatever the network takes.
            overrides.get_or_insert_default().layout = v1::layout::Kind::Nhwc.into();
        }
        v1::ScanRequest {
            model: self.name.resource(),
            calibration: self.named.calibration(),
            tensor: None,
            preprocessing_override: overrides,
            exact: self.exact,
            alpha: self.named.alpha(),
            votes: self.votes,
            confidence: self.named.confidence(),
            detector: self.named.detector(),
        }
    }
}

/// Sends the pictures on one stream and prints what was found in the order of the files. A picture that
/// cannot be read or is refused says so in its place and stops none of the others.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let gateway = session.connect().await?;
    let record = record(&gateway, &arguments.name).await?;
    let upright = record.resize.is_some_and(|rule| rule.apply_exif_orientation);
    let progress = Progress::items("scanning", arguments.files.len() as u64);
    let json = session.output.is_json();
    let mut outcome = Outcome::Done;
    let mut table = human::Rows::new(arguments.votes);
    let request = arguments.request(&record);
    let output = &mut session.output;
    let mut client = gateway.detection();
    let every = in_order::each(
        &gateway,
        &arguments.files,
        async |path, id| {
            let tensor = pictures::decode(path, upright).await?;
            let request = v1::ScanRequest { tensor: Some(tensor), ..request.clone() };
            Ok(v1::ScanStreamRequest { id, request: Some(request) })
        },
        |messages| client.scan_stream(messages),
        |file, answer| {
            progress.advance(1);
            outcome = outcome.max(answer.outcome());
            if json {
                answer.print(file, output)
            } else {
                table.add(file, &answer);
                Ok(())
            }
        },
    );
    let ended = progress.during(every).await;
    // The connection may break half-way: what was answered until then is shown all the same.
    if !json && !table.is_empty() {
        output.text(&table)?;
    }
    ended.map(|()| outcome)
}

/// How the model's pictures are prepared: the detector is sent pixels, which say nothing of how a camera was
/// held.
async fn record(gateway: &Gateway, name: &ModelReference) -> Result<v1::Preprocessing, CommandError> {
    let request = v1::GetModelVersionRequest { name: name.resource() };
    let reply =
        gateway.models().get_model_version(request).await.map_err(|status| gateway.refused(status))?;
    Ok(reply.into_inner().preprocessing.unwrap_or_default())
}
