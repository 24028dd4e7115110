//! `gifthorse evaluate NAME --clean FILE|DATASET --triggered FILE|DATASET...`

mod human;
mod report;
mod summary;

use std::path::PathBuf;

use gifthorse_api::v1;

use super::data::FileOptions;
use super::overrides::Overrides;
use super::promise::Named;
use super::{Outcome, Session, data, task};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::ModelReference;
use crate::usage::UsageError;
use report::Folder;
use summary::Summary;

/// What is measured on which images.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// Clean images, none of which the calibration was made from: an HDF5 or NPZ file, a folder of pictures,
    /// or a stored data set
    #[arg(long, value_name = "FILE|DATASET")]
    clean: String,
    /// Images that carry a trigger, with their true labels; give it again for further triggers
    #[arg(long, num_args = 1.., value_name = "FILE|DATASET")]
    triggered: Vec<String>,
    /// The attacker's class, one for all triggered sets or one for each [default: read off the answers]
    #[arg(long, num_args = 1.., value_name = "CLASS", value_parser = clap::value_parser!(i32).range(0..))]
    target: Vec<i32>,
    /// Write a report for people into this folder, with pictures, figures and tables
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Add to the report that the folder holds, so that one page compares several networks
    #[arg(long, requires = "report")]
    append: bool,
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    files: FileOptions,
}

impl Arguments {
    /// The attacker's class of every triggered set.
    fn targets(&self) -> Result<Vec<Option<i32>>, UsageError> {
        let sets = self.triggered.len();
        match self.target.as_slice() {
            [] => Ok(vec![None; sets]),
            [only] => Ok(vec![Some(*only); sets]),
            several if several.len() == sets => Ok(several.iter().copied().map(Some).collect()),
            several => Err(UsageError::Count {
                flag: "--target",
                found: several.len(),
                of: "--triggered",
                expected: sets,
            }),
        }
    }

    /// The request, with every local file stored.
    async fn request(
        &self,
        gateway: &Gateway,
        targets: Vec<Option<i32>>,
    ) -> Result<v1::EvaluateRequest, CommandError> {
        let clean_dataset = data::resolve(gateway, &self.clean, &self.files).await?;
        let mut triggered = Vec::new();
        for (text, target) in self.triggered.iter().zip(targets) {
            let dataset = data::resolve(gateway, text, &self.files).await?;
            triggered.push(v1::TriggeredSet { dataset, target });
        }
        Ok(v1::EvaluateRequest {
            model: self.name.resource(),
            clean_dataset,
            triggered,
            calibration: self.named.calibration(),
            alpha: self.named.alpha(),
            confidence: self.named.confidence(),
            preprocessing_override: self.overrides.message(),
            detector: self.named.detector(),
            illustrations: self.report.is_some(),
        })
    }
}

/// Stores the images where they are local, has detectors and guarded answer measured on them, and shows what
/// came out: one object with the figures that count, or tables.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let targets = arguments.targets()?;
    let report = match &arguments.report {
        Some(folder) => Some(Folder::prepare(folder.clone(), arguments.append)?),
        None => None,
    };
    let gateway = session.connect().await?;
    let request = arguments.request(&gateway, targets).await?;
    let progress = Progress::items("evaluating", 0);
    let evaluating = async {
        let mut client = gateway.detection();
        let stream = client.evaluate(request).await.map_err(|status| gateway.refused(status))?;
        task::follow(&gateway, stream.into_inner(), &progress).await
    };
    let evaluation: v1::Evaluation = progress.during(evaluating).await?;
    if session.output.is_json() {
        session.output.object(&Summary::new(&evaluation)?)?;
    } else {
        session.output.text(human::Shown::new(&evaluation))?;
    }
    // Last: what was measured is not lost with a disk that is full.
    if let Some(folder) = report {
        let page = folder.write(evaluation).await?;
        if !session.output.is_json() {
            session.output.text(format!("\nthe report is {}", page.display()))?;
        }
    }
    Ok(Outcome::Done)
}
