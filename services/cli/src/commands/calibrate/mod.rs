//! `gifthorse calibrate NAME --clean FILE|DATASET`

mod policy;
mod settings;

use gifthorse_api::v1;

use super::data::FileOptions;
use super::overrides::Overrides;
use super::{Outcome, Session, calibration, data, policy as policies, task};
use crate::client::Gateway;
use crate::detection::{CHANNEL_DROPOUT, Positive};
use crate::error::CommandError;
use crate::progress::Progress;
use crate::reference::ModelReference;
use settings::Settings;

/// Which model is calibrated on which images, and what its policy becomes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// Clean images that the network was not trained on: an HDF5 or NPZ file, a folder of pictures, or a
    /// stored data set
    #[arg(long, value_name = "FILE|DATASET")]
    clean: String,
    /// Set this many of the images aside as overlays [default: the smaller of 100 and a fifth]
    #[arg(long, value_name = "N", conflicts_with = "overlay_data", value_parser = clap::value_parser!(i32).range(1..))]
    overlays: Option<i32>,
    /// Take the overlays from here, all of them in their order, and set nothing aside
    #[arg(long, value_name = "FILE|DATASET", conflicts_with = "augment")]
    overlay_data: Option<String>,
    /// Enlarge a small bank of overlays by flips and shifts
    #[arg(long)]
    augment: bool,
    /// Seed of every draw
    #[arg(long, value_name = "SEED", default_value_t)]
    seed: u64,
    /// Set this many images aside to scale the scores before they are added [default: the service's choice]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    reference: Option<i32>,
    /// Let near-duplicates of one group count once, where the data set has groups
    #[arg(long)]
    one_per_group: bool,
    /// Use this fixed threshold of STRIP's entropy, in bit, as older tools do; nothing is promised then
    #[arg(long, value_name = "BIT")]
    legacy_threshold: Option<Positive>,
    /// Makes a repeated call answer the calibration made first
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    // First of these: a heading of help holds for all that follows it.
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    policy: policy::NextPolicy,
    #[command(flatten)]
    files: FileOptions,
}

impl Arguments {
    /// The request, with the data sets that the images became.
    fn request(
        &self,
        dataset: String,
        overlay_dataset: String,
        detectors: Vec<v1::DetectorSettings>,
    ) -> v1::CalibrateRequest {
        v1::CalibrateRequest {
            model: self.name.resource(),
            dataset,
            detectors,
            overlays: self.overlays.unwrap_or_default(),
            seed: self.seed,
            augment: self.augment,
            one_per_group: self.one_per_group,
            reference_images: self.reference.unwrap_or_default(),
            legacy_threshold: self.legacy_threshold.map(Positive::value),
            preprocessing_override: self.overrides.message(),
            request_id: self.request_id.clone().unwrap_or_default(),
            overlay_dataset,
        }
    }
}

/// Stores the images where they are local, has them measured, and sets the policy. A calibration whose policy
/// is refused is shown all the same: it is kept, and another policy may take it.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let legacy = arguments.legacy_threshold.is_some();
    let mut detectors = arguments.settings.messages(legacy)?;
    arguments.policy.check(arguments.settings.named())?;
    let gateway = session.connect().await?;
    let clean = data::resolve(&gateway, &arguments.clean, &arguments.files).await?;
    let overlays = match &arguments.overlay_data {
        Some(text) => data::resolve(&gateway, text, &arguments.files).await?,
        None => String::new(),
    };
    if arguments.settings.fills_in_defaults(legacy) && is_linked(&gateway, &arguments.name).await? {
        // Left to itself the service would leave it out, too: there is nothing inside to look at.
        detectors.retain(|settings| settings.detector != CHANNEL_DROPOUT);
    }
    let request = arguments.request(clean, overlays, detectors);
    let progress = Progress::items("calibrating", 0);
    let calibrating = async {
        let mut client = gateway.detection();
        let stream = client.calibrate(request).await.map_err(|status| gateway.refused(status))?;
        task::follow(&gateway, stream.into_inner(), &progress).await
    };
    let calibration: v1::Calibration = progress.during(calibrating).await?;
    session.output.reply(&calibration, calibration::human::Shown::new)?;
    let named = if legacy && arguments.settings.named().is_empty() {
        &settings::LEGACY.map(str::to_owned)
    } else {
        arguments.settings.named()
    };
    let Some(request) = arguments.policy.request(&arguments.name.model(), &calibration, named)? else {
        return Ok(Outcome::Done);
    };
    let reply = gateway.policies().set_policy(request).await.map_err(|status| gateway.refused(status))?;
    if !session.output.is_json() {
        session.output.text("")?;
    }
    session.output.reply(&reply.into_inner(), policies::human::Shown::new)?;
    Ok(Outcome::Done)
}

async fn is_linked(gateway: &Gateway, name: &ModelReference) -> Result<bool, CommandError> {
    let request = v1::GetModelVersionRequest { name: name.resource() };
    let reply =
        gateway.models().get_model_version(request).await.map_err(|status| gateway.refused(status))?;
    Ok(reply.into_inner().linked_endpoint.is_some())
}
