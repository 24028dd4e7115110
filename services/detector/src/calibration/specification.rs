//! What is measured: a detector with all its settings, as it is asked for, stored and answered.

use std::num::NonZeroUsize;
use std::sync::Arc;

use gifthorse_api::name::Version;
use gifthorse_api::v1;
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::{Blend, ConvexWeight};
use gifthorse_defence::dropout::ChannelDropout;
use gifthorse_defence::noise::NoiseConsistency;
use gifthorse_defence::pair::{Disagreement, Expert};
use gifthorse_defence::paste::{
    HostBank, HostError, MIN_HOSTS, OcclusionGuidedPaste, RegionPaste, WhiteBoxPaste,
};
use gifthorse_defence::region::RegionShape;
use gifthorse_defence::sequential::Looks;
use gifthorse_defence::shift::{self, ActivationShift};
use gifthorse_defence::strip::{StripEntropy, StripMargin};
use gifthorse_defence::{Detector, SplitClassifier};
use gifthorse_store::Sha256Digest;
use ndarray::Axis;
use serde::{Deserialize, Serialize};

use crate::error::DetectorError;
use crate::network::{Repair, Run};

/// STRIP's own score.
pub(crate) const STRIP_ENTROPY: &str = "strip_entropy";
/// STRIP's passes, read by the margin.
pub(crate) const STRIP_MARGIN: &str = "strip_margin";
/// Black-box region paste.
pub(crate) const REGION_PASTE: &str = "region_paste";
/// Region paste of the two regions that the answer leans on.
pub(crate) const REGION_PASTE_GUIDED: &str = "region_paste_guided";
/// Region paste at a layer.
pub(crate) const REGION_PASTE_LAYER: &str = "region_paste_layer";
/// Channel dropout.
pub(crate) const CHANNEL_DROPOUT: &str = "channel_dropout";
/// How much a repaired network holds of the answer.
pub(crate) const DISAGREEMENT: &str = "disagreement";
/// Whether a copy that kept the backdoor alone agrees.
pub(crate) const EXPERT: &str = "expert";
/// Whether lively channels are livelier than clean images make them.
pub(crate) const ACTIVATION_SHIFT: &str = "activation_shift";
/// Whether the answer survives noise.
pub(crate) const NOISE_CONSISTENCY: &str = "noise_consistency";
/// The setting that names the version beside the watched one.
pub(crate) const REPAIRED: &str = "repaired";
/// The setting that says how many channels are looked at.
const CHANNELS: &str = "channels";
/// The sum of standardised scores.
pub(crate) const FUSED: &str = "fused";

/// Hosts unless told otherwise.
const HOSTS: usize = 10;
/// Blends that the margin is taken over at most, unless told otherwise.
const MARGIN_PASSES: usize = 15;
/// Masks of the channel dropout unless told otherwise.
const MASKS: usize = 20;
/// Region paste separates what carries a local trigger best; the others also see what is not local. Measured with
/// equal weights beside it in docs/faces.md.
const REGION_PASTE_WEIGHT: f64 = 2.0;
/// Rows of a band, and from one to the next, of a paste at a layer.
const LAYER_BANDS: RegionShape = RegionShape::Rows { rows: 2, step: 1 };

/// The weight of a detector's standardised score in a fused score, unless told otherwise.
pub(crate) fn default_weight(detector: &str) -> f64 {
    if detector == REGION_PASTE { REGION_PASTE_WEIGHT } else { 1.0 }
}

/// A detector and all its settings; part of a calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "detector", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum DetectorSpecification {
    StripEntropy {
        blend: Blend,
        looks: Looks,
    },
    StripMargin {
        blend: Blend,
        passes: usize,
    },
    RegionPaste {
        hosts: usize,
        shape: RegionShape,
    },
    RegionPasteGuided {
        hosts: usize,
        shape: RegionShape,
    },
    RegionPasteLayer {
        hosts: usize,
        shape: RegionShape,
    },
    ChannelDropout {
        masks: NonZeroUsize,
        seed: u64,
    },
    Disagreement {
        repaired: Beside,
    },
    /// Verified: whether the repaired network beside the expert may vote, too.
    Expert {
        repaired: Beside,
        verified: bool,
    },
    ActivationShift {
        channels: NonZeroUsize,
    },
    NoiseConsistency {
        seed: u64,
    },
}

/// A version of the same model that a repair made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beside {
    pub(crate) version: Version,
    /// Of its network.
    pub(crate) digest: Sha256Digest,
}

/// A detector that can be run on the networks of this service.
#[derive(Clone)]
pub(crate) enum Built {
    /// STRIP's entropy, the one that may stop early.
    Entropy(Arc<StripEntropy>),
    /// Any other.
    Other(Arc<dyn Detector<Run>>),
}

impl Built {
    /// The detector.
    pub(crate) fn detector(&self) -> &dyn Detector<Run> {
        match self {
            Self::Entropy(entropy) => entropy.as_ref(),
            Self::Other(other) => other.as_ref(),
        }
    }
}

pub(super) fn host_count(settings: &v1::DetectorSettings) -> usize {
    match usize::try_from(settings.hosts) {
        Ok(0) | Err(_) => HOSTS,
        Ok(hosts) => hosts,
    }
}

/// What a specification is completed with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means<'a> {
    /// Overlays of the bank.
    pub(crate) overlays: usize,
    /// Hosts at the head of the bank.
    pub(crate) hosts: usize,
    /// Seed of every draw.
    pub(crate) seed: u64,
    /// The version beside the watched one, where a detector asks it.
    pub(crate) repair: Option<&'a Repair>,
}

/// The settings by name that a detector has.
fn parameters(detector: &str) -> &'static [&'static str] {
    match detector {
        DISAGREEMENT | EXPERT => &[REPAIRED],
        ACTIVATION_SHIFT => &[CHANNELS],
        _ => &[],
    }
}

impl DetectorSpecification {
    /// The settings of a request, completed and checked.
    pub(crate) fn complete(settings: &v1::DetectorSettings, means: Means<'_>) -> Result<Self, DetectorError> {
        let known = parameters(&settings.detector);
        if let Some(name) = settings.parameters.keys().filter(|name| !known.contains(&name.as_str())).min() {
            let message = format!("holds {name:?}, which {:?} does not have", settings.detector);
            return Err(DetectorError::field("detectors.parameters", message));
        }
        let repair =
            || means.repair.ok_or(DetectorError::Internal("finding the version beside the watched one"));
        let passes = usize::try_from(settings.passes)
            .map_err(|_| DetectorError::field("detectors.passes", "is negative: use 0 for the default"))?;
        let passes_or = |default: usize| if passes == 0 { default } else { passes };
        let hosts = host_count(settings).min(if settings.hosts == 0 { means.hosts } else { usize::MAX });
        match settings.detector.as_str() {
            STRIP_ENTROPY => {
                let total = passes_or(means.overlays);
                let looks = match settings.looks.as_slice() {
                    [] => Looks::doubling(total)?,
                    looks => {
                        let looks = looks.iter().map(|look| usize::try_from(*look).unwrap_or(0));
                        let last = looks.clone().next_back().unwrap_or_default();
                        Looks::new(looks.chain((last < total).then_some(total)).collect())?
                    }
                };
                Ok(Self::StripEntropy { blend: blend(settings)?, looks })
            }
            STRIP_MARGIN => {
                let passes = passes_or(MARGIN_PASSES.min(means.overlays));
                Ok(Self::StripMargin { blend: blend(settings)?, passes })
            }
            REGION_PASTE => Ok(Self::RegionPaste { hosts, shape: shape(settings, RegionShape::Bands)? }),
            REGION_PASTE_GUIDED => {
                Ok(Self::RegionPasteGuided { hosts, shape: shape(settings, RegionShape::Bands)? })
            }
            REGION_PASTE_LAYER => Ok(Self::RegionPasteLayer { hosts, shape: shape(settings, LAYER_BANDS)? }),
            CHANNEL_DROPOUT => {
                let masks = NonZeroUsize::new(passes_or(MASKS)).unwrap_or(NonZeroUsize::MIN);
                Ok(Self::ChannelDropout { masks, seed: means.seed })
            }
            DISAGREEMENT => {
                let repair = repair()?;
                repair.repaired()?;
                Ok(Self::Disagreement { repaired: repair.into() })
            }
            EXPERT => {
                let repair = repair()?;
                repair.expert()?;
                Ok(Self::Expert { repaired: repair.into(), verified: repair.verified().is_some() })
            }
            ACTIVATION_SHIFT => {
                let channels = settings.parameters.get(CHANNELS).copied().unwrap_or(shift::CHANNELS as f64);
                let whole =
                    (channels.fract() == 0.0 && (1.0..1e9).contains(&channels)).then_some(channels as usize);
                let channels = whole.and_then(NonZeroUsize::new).ok_or_else(|| {
                    let message = format!("holds {CHANNELS} = {channels}: use a whole number from 1 on");
                    DetectorError::field("detectors.parameters", message)
                })?;
                Ok(Self::ActivationShift { channels })
            }
            NOISE_CONSISTENCY => Ok(Self::NoiseConsistency { seed: means.seed }),
            unknown => Err(DetectorError::field(
                "detectors.detector",
                format!(
                    "is {unknown:?}: use {STRIP_ENTROPY}, {STRIP_MARGIN}, {REGION_PASTE}, \
                     {REGION_PASTE_GUIDED}, {REGION_PASTE_LAYER}, {CHANNEL_DROPOUT}, {DISAGREEMENT}, {EXPERT}, \
                     {ACTIVATION_SHIFT} or {NOISE_CONSISTENCY}"
                ),
            )),
        }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::StripEntropy { .. } => STRIP_ENTROPY,
            Self::StripMargin { .. } => STRIP_MARGIN,
            Self::RegionPaste { .. } => REGION_PASTE,
            Self::RegionPasteGuided { .. } => REGION_PASTE_GUIDED,
            Self::RegionPasteLayer { .. } => REGION_PASTE_LAYER,
            Self::ChannelDropout { .. } => CHANNEL_DROPOUT,
            Self::Disagreement { .. } => DISAGREEMENT,
            Self::Expert { .. } => EXPERT,
            Self::ActivationShift { .. } => ACTIVATION_SHIFT,
            Self::NoiseConsistency { .. } => NOISE_CONSISTENCY,
        }
    }

    /// Whether its score is added to others unless told otherwise. STRIP's entropy is not, which its margin beats;
    /// nor are scores near one or zero that a second network gives, whose scale means nothing.
    pub(crate) const fn fuses(&self) -> bool {
        matches!(
            self,
            Self::StripMargin { .. }
                | Self::RegionPaste { .. }
                | Self::RegionPasteGuided { .. }
                | Self::RegionPasteLayer { .. }
                | Self::ChannelDropout { .. }
        )
    }

    /// The version that it asks beside the watched one.
    pub(crate) const fn beside(&self) -> Option<Beside> {
        match self {
            Self::Disagreement { repaired } | Self::Expert { repaired, .. } => Some(*repaired),
            _ => None,
        }
    }

    /// The hosts it pastes onto, where it does.
    pub(crate) const fn hosts(&self) -> Option<usize> {
        match self {
            Self::RegionPaste { hosts, .. }
            | Self::RegionPasteGuided { hosts, .. }
            | Self::RegionPasteLayer { hosts, .. } => Some(*hosts),
            _ => None,
        }
    }

    /// Whether it looks inside the network.
    pub(crate) const fn needs_cut(&self) -> bool {
        matches!(
            self,
            Self::RegionPasteLayer { .. }
                | Self::ChannelDropout { .. }
                | Self::ActivationShift { .. }
                | Self::NoiseConsistency { .. }
        )
    }

    /// The detector, for this bank and the overlays in it that are hosts, and what a repair left where it asks that.
    /// Runs the hosts once, and the bank for those that measure what clean images do inside.
    pub(crate) fn build(
        &self,
        run: &Run,
        bank: &Arc<OverlayBank>,
        hosts: &[usize],
        repair: Option<&Repair>,
    ) -> Result<Built, DetectorError> {
        let repair = || repair.ok_or(DetectorError::Internal("finding the version beside the watched one"));
        let hosts = || {
            let wanted = self.hosts().unwrap_or_default();
            host_bank(run, bank, hosts.get(..wanted).unwrap_or(hosts))
        };
        if self.needs_cut() {
            run.network.cut()?;
        }
        let other = |detector: Arc<dyn Detector<Run>>| Built::Other(detector);
        Ok(match self {
            Self::StripEntropy { blend, looks } => {
                Built::Entropy(Arc::new(StripEntropy::new(Arc::clone(bank), *blend, looks.clone())?))
            }
            Self::StripMargin { blend, passes } => {
                other(Arc::new(StripMargin::new(Arc::clone(bank), *blend, *passes)?))
            }
            Self::RegionPaste { shape, .. } => other(Arc::new(RegionPaste::new(hosts()?, *shape)?)),
            Self::RegionPasteGuided { shape, .. } => {
                other(Arc::new(OcclusionGuidedPaste::new(hosts()?, *shape)?))
            }
            Self::RegionPasteLayer { shape, .. } => {
                other(Arc::new(WhiteBoxPaste::new(run, hosts()?, *shape)?))
            }
            Self::ChannelDropout { masks, seed } => {
                other(Arc::new(ChannelDropout::new(run.activation_shape(), *masks, *seed)))
            }
            Self::Disagreement { .. } => {
                other(Arc::new(Disagreement::new(Arc::clone(repair()?.repaired()?))))
            }
            Self::Expert { verified, .. } => {
                let repair = repair()?;
                let repaired = if *verified { Some(Arc::clone(repair.repaired()?)) } else { None };
                other(Arc::new(Expert::new(Arc::clone(repair.expert()?), repaired)))
            }
            Self::ActivationShift { channels } => {
                other(Arc::new(ActivationShift::of(run, bank, channels.get())?))
            }
            Self::NoiseConsistency { seed } => other(Arc::new(NoiseConsistency::fit(run, bank, *seed)?)),
        })
    }

    /// As a message of the contract.
    pub(crate) fn message(&self, layer: &str) -> v1::DetectorSettings {
        let mut message = v1::DetectorSettings { detector: self.name().to_owned(), ..Default::default() };
        match self {
            Self::StripEntropy { blend, looks } => {
                message.passes = looks.total() as i32;
                message.looks = looks.passes().iter().map(|look| *look as i32).collect();
                message.blend = Some(blend_message(*blend));
            }
            Self::StripMargin { blend, passes } => {
                message.passes = *passes as i32;
                message.blend = Some(blend_message(*blend));
            }
            Self::RegionPaste { hosts, shape }
            | Self::RegionPasteGuided { hosts, shape }
            | Self::RegionPasteLayer { hosts, shape } => {
                message.hosts = *hosts as i32;
                message.region_shape = shape_name(*shape);
            }
            Self::ChannelDropout { masks, .. } => message.passes = masks.get() as i32,
            Self::Disagreement { repaired } | Self::Expert { repaired, .. } => {
                message.parameters.insert(REPAIRED.to_owned(), u64::from(repaired.version) as f64);
            }
            Self::ActivationShift { channels } => {
                message.parameters.insert(CHANNELS.to_owned(), channels.get() as f64);
            }
            Self::NoiseConsistency { .. } => {}
        }
        if self.needs_cut() {
            layer.clone_into(&mut message.layer);
        }
        message
    }
}

impl From<&Repair> for Beside {
    fn from(repair: &Repair) -> Self {
        Self { version: repair.version(), digest: repair.digest() }
    }
}

/// The overlays at these places as hosts, verified by running the network on them.
fn host_bank(run: &Run, bank: &OverlayBank, hosts: &[usize]) -> Result<HostBank, DetectorError> {
    if hosts.is_empty() {
        return Err(HostError::TooFew { found: 0, needed: MIN_HOSTS }.into());
    }
    let images = bank.images().select(Axis(0), hosts);
    let labels = hosts.iter().map(|host| bank.labels()[*host]).collect();
    let bank = OverlayBank::new(bank.space().clone(), images, labels)?;
    Ok(HostBank::verified(run, Arc::new(bank))?)
}

fn blend(settings: &v1::DetectorSettings) -> Result<Blend, DetectorError> {
    use v1::blend::Kind;
    let Some(message) = &settings.blend else { return Ok(Blend::Add) };
    match Kind::try_from(message.kind) {
        Ok(Kind::BlendUnspecified | Kind::Add) => Ok(Blend::Add),
        Ok(Kind::AddClamp) => Ok(Blend::AddClamp),
        Ok(Kind::Convex) => Ok(Blend::Convex { weight: ConvexWeight::new(message.alpha as f32)? }),
        Err(_) => {
            let message = format!("is {}: use ADD, ADD_CLAMP or CONVEX", message.kind);
            Err(DetectorError::field("detectors.blend.kind", message))
        }
    }
}

fn blend_message(blend: Blend) -> v1::Blend {
    use v1::blend::Kind;
    let (kind, alpha) = match blend {
        Blend::Add => (Kind::Add, 0.0),
        Blend::AddClamp => (Kind::AddClamp, 0.0),
        Blend::Convex { weight } => (Kind::Convex, f64::from(weight.value())),
    };
    v1::Blend { kind: kind.into(), alpha }
}

fn shape(settings: &v1::DetectorSettings, default: RegionShape) -> Result<RegionShape, DetectorError> {
    match settings.region_shape.as_str() {
        "" => Ok(default),
        "bands" => Ok(RegionShape::Bands),
        "columns" => Ok(RegionShape::Columns),
        "blocks" => Ok(RegionShape::Blocks),
        unknown => {
            let message = format!("is {unknown:?}: use bands, columns or blocks");
            Err(DetectorError::field("detectors.region_shape", message))
        }
    }
}

fn shape_name(shape: RegionShape) -> String {
    match shape {
        RegionShape::Bands => "bands".to_owned(),
        RegionShape::Columns => "columns".to_owned(),
        RegionShape::Blocks => "blocks".to_owned(),
        RegionShape::Rows { rows, step } => format!("{rows} rows every {step}"),
        RegionShape::Windows { rows, columns, row_step, column_step } => {
            format!("{rows}x{columns} windows every {row_step}x{column_step}")
        }
    }
}
