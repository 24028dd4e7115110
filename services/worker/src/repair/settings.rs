//! What a job's specification asks the engine for, read once.

use std::num::{NonZeroU32, NonZeroUsize};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_specification::FineTuning;
use gifthorse_defence::level::{Level, Share};
use gifthorse_defence::pruning::{GateLimits, StopRule};

use super::invert::InversionParameters;
use crate::engine::EngineFault;

/// Drops of accuracy and attack success rates that hold where the specification names none, in points of 1.
const PRUNING_DROP: f64 = 0.04;
const GATE_DROP: f64 = 0.10;
const GATE_ATTACK_SUCCESS: f64 = 0.05;
const CONFIDENCE: f64 = 0.95;
const EPOCHS: u32 = 10;
const BATCH: usize = 32;
/// The parameter that says whether an expert is trained.
const EXPERT: &str = "expert";

/// How the pruned network is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Not at all.
    None,
    /// Plain fine-tuning.
    Ft,
    /// Sharpness-aware fine-tuning.
    FtSam,
    /// Feature shift tuning.
    Fst,
    /// Not tuned: triggers are found and unlearned.
    Invert,
}

impl Method {
    /// Its name on the command line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ft => "ft",
            Self::FtSam => "ft-sam",
            Self::Fst => "fst",
            Self::Invert => "invert",
        }
    }
}

/// What a job asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    /// The layer, where one is named.
    pub(super) layer: Option<String>,
    /// When the pruning ends.
    pub(super) stop: StopRule,
    /// The largest drop of held-out accuracy, of pruning and of each candidate of the tuning.
    pub(super) largest_drop: Share,
    /// How the pruned network is tuned.
    pub(super) method: Method,
    /// For how long.
    pub(super) epochs: u32,
    /// Whether all images rank and score.
    pub(super) score_on_all: bool,
    /// When the result may vote.
    pub(super) gate: GateLimits,
    /// Where all chance comes from.
    pub(super) seed: u64,
    /// Threads to compute with.
    pub(super) threads: NonZeroUsize,
    /// What the tuning was given by name.
    pub(super) tuning: TuningParameters,
    /// What the inversion was given by name.
    pub(super) inversion: InversionParameters,
    /// Whether an expert is trained beside the repair.
    pub(super) expert: bool,
}

/// Parameters of the tuning; none leaves them to the service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct TuningParameters {
    pub(super) learning_rate: Option<f64>,
    pub(super) sharpness_radius: Option<f64>,
    pub(super) batch: Option<NonZeroUsize>,
    pub(super) label_smoothing: Option<f64>,
    pub(super) weight_decay: Option<f64>,
    /// How hard feature shift tuning pushes the output layer away from what it was.
    pub(super) shift_strength: Option<f64>,
    /// Share of each target that is what the suspect network answers, 0 to 1.
    pub(super) distillation: Option<f64>,
}

impl TuningParameters {
    const NAMES: [&'static str; 7] = [
        "learning_rate",
        "sharpness_radius",
        "shift_strength",
        "batch",
        "label_smoothing",
        "weight_decay",
        "distillation",
    ];

    fn read(
        parameters: &std::collections::HashMap<String, f64>,
        method: Method,
    ) -> Result<Self, EngineFault> {
        let mut read = Self::default();
        // In the order of their names, so that the same fault is named each time.
        let mut given: Vec<(&String, f64)> = parameters.iter().map(|(name, value)| (name, *value)).collect();
        given.sort_by_key(|(name, _)| *name);
        for (name, value) in given {
            let of_inversion = InversionParameters::NAMES.contains(&name.as_str());
            if of_inversion && method == Method::Invert {
                continue;
            }
            let place = match name.as_str() {
                _ if of_inversion || method == Method::Invert => {
                    let message = format!(
                        "specification.parameters[{name:?}] is no parameter of the method {}: {} are of invert, {} of \
                         ft and ft-sam",
                        method.name(),
                        InversionParameters::NAMES.join(", "),
                        Self::NAMES.join(", ")
                    );
                    return Err(EngineFault::invalid(ErrorCode::InvalidField, message));
                }
                "learning_rate" => &mut read.learning_rate,
                "sharpness_radius" => &mut read.sharpness_radius,
                "shift_strength" => &mut read.shift_strength,
                "label_smoothing" => &mut read.label_smoothing,
                "weight_decay" => &mut read.weight_decay,
                "distillation" => &mut read.distillation,
                "batch" => {
                    let whole = ((1.0..=65_536.0).contains(&value) && value.fract() == 0.0).then_some(value);
                    let rows = whole.and_then(|value| NonZeroUsize::new(value as usize));
                    read.batch =
                        Some(rows.ok_or_else(|| wrong(name, value, "a whole number of 1 to 65536"))?);
                    continue;
                }
                _ => {
                    let message = format!(
                        "specification.parameters[{name:?}] is no parameter of this engine: use {}",
                        Self::NAMES.join(", ")
                    );
                    return Err(EngineFault::invalid(ErrorCode::InvalidField, message));
                }
            };
            *place = Some(value);
        }
        let shares =
            [("distillation", read.distillation, 1.0), ("label_smoothing", read.label_smoothing, 0.999)];
        for (name, share, most) in shares {
            if let Some(value) = share.filter(|value| !(0.0..=most).contains(value)) {
                return Err(wrong(name, value, "a share of 0 to 1"));
            }
        }
        Ok(read)
    }

    /// Images in a step.
    pub(super) fn batch(&self) -> NonZeroUsize {
        const ROWS: NonZeroUsize = NonZeroUsize::new(BATCH).unwrap();
        self.batch.unwrap_or(ROWS)
    }
}

/// A parameter whose value will not do.
pub(super) fn wrong(name: &str, value: f64, needed: &str) -> EngineFault {
    let message = format!("specification.parameters[{name:?}] is {value}, use {needed}");
    EngineFault::invalid(ErrorCode::InvalidField, message)
}

impl Settings {
    /// Reads a specification that the trainer has checked.
    pub(super) fn read(specification: &v1::PruningSpecification) -> Result<Self, EngineFault> {
        let method = method(specification.fine_tuning());
        if !specification.unlearn_dataset.is_empty() && method != Method::Invert {
            let message = format!(
                "specification.unlearn_dataset is given, and the method {} does not unlearn: use INVERT",
                method.name()
            );
            return Err(EngineFault::invalid(ErrorCode::NotBuilt, message));
        }
        let mut parameters = specification.parameters.clone();
        let expert = match parameters.remove(EXPERT) {
            None | Some(1.0) => true,
            Some(0.0) => false,
            Some(value) => return Err(wrong(EXPERT, value, "1, or 0 for no expert")),
        };
        let limits = specification.gate.unwrap_or_default();
        let or = |value: f64, default: f64| if value > 0.0 { value } else { default };
        let share = |value: f64| Share::from_shortest_decimal(value).map_err(|error| EngineFault::of(&error));
        let largest_drop = share(or(specification.max_accuracy_drop, PRUNING_DROP))?;
        // The difference of two decimals is not one; ten digits are far beyond any use.
        let doubt = ((1.0 - or(limits.confidence, CONFIDENCE)) * 1e10).round() / 1e10;
        let doubt = Level::from_shortest_decimal(doubt).map_err(|error| EngineFault::of(&error))?;
        let stop = match usize::try_from(specification.channel_count) {
            Ok(count) if count > 0 => StopRule::ChannelCount(count),
            _ => StopRule::LargestDrop(largest_drop),
        };
        let cores = specification.resources.as_ref().map_or(0.0, |resources| resources.cores).ceil();
        let here = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = NonZeroUsize::new(cores as usize).map_or(here, |asked| asked.min(here));
        Ok(Self {
            layer: Some(specification.layer.clone()).filter(|layer| !layer.is_empty()),
            stop,
            largest_drop,
            method,
            epochs: u32::try_from(specification.epochs).ok().filter(|epochs| *epochs > 0).unwrap_or(EPOCHS),
            score_on_all: specification.score_on_all,
            gate: GateLimits {
                accuracy_drop: share(or(limits.max_accuracy_drop, GATE_DROP))?,
                attack_success: share(or(limits.max_attack_success_rate, GATE_ATTACK_SUCCESS))?,
                doubt,
                settings_tried: NonZeroU32::MIN,
            },
            seed: specification.seed,
            threads,
            tuning: TuningParameters::read(&parameters, method)?,
            inversion: InversionParameters::read(&parameters)?,
            expert,
        })
    }
}

const fn method(asked: FineTuning) -> Method {
    match asked {
        FineTuning::NoFineTuning => Method::None,
        FineTuning::Unspecified | FineTuning::Ft => Method::Ft,
        FineTuning::FtSam => Method::FtSam,
        FineTuning::Fst => Method::Fst,
        FineTuning::Invert => Method::Invert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in() {
        let settings = Settings::read(&v1::PruningSpecification::default()).unwrap();
        assert_eq!(settings.stop, StopRule::LargestDrop("0.04".parse().unwrap()));
        assert_eq!((settings.method, settings.epochs), (Method::Ft, 10));
        assert_eq!(settings.gate.doubt, "0.05".parse().unwrap());
        assert_eq!(settings.gate.attack_success, "0.05".parse().unwrap());
    }

    #[test]
    fn an_expert_is_made_unless_told_otherwise() {
        let read = |value: Option<f64>, method: FineTuning| {
            let parameters = value.map(|value| ("expert".to_owned(), value)).into_iter().collect();
            let fine_tuning = method.into();
            Settings::read(&v1::PruningSpecification { parameters, fine_tuning, ..Default::default() })
                .map(|settings| settings.expert)
        };
        for method in [FineTuning::Ft, FineTuning::Invert] {
            assert!(read(None, method).unwrap() && read(Some(1.0), method).unwrap());
            assert!(!read(Some(0.0), method).unwrap());
            assert!(read(Some(0.5), method).unwrap_err().to_string().contains("0 for no expert"));
        }
    }

    #[test]
    fn what_is_asked_for_counts() {
        let specification = v1::PruningSpecification {
            channel_count: 48,
            layer: "pool_3".to_owned(),
            fine_tuning: FineTuning::FtSam.into(),
            gate: Some(v1::GateLimits { confidence: 0.99, ..Default::default() }),
            parameters: [("learning_rate".to_owned(), 0.02), ("batch".to_owned(), 16.0)].into(),
            ..Default::default()
        };
        let settings = Settings::read(&specification).unwrap();
        assert_eq!(settings.stop, StopRule::ChannelCount(48));
        assert_eq!(settings.gate.doubt, "0.01".parse().unwrap());
        assert_eq!(settings.tuning.learning_rate, Some(0.02));
        assert_eq!(settings.tuning.batch().get(), 16);
    }

    #[test]
    fn unknown_parameters_are_named() {
        for (name, value, says) in [
            ("learning_rat", 0.1, "\"learning_rat\"] is no parameter"),
            ("batch", 0.5, "whole number"),
            ("distillation", 1.5, "share"),
        ] {
            let parameters = [(name.to_owned(), value)].into();
            let refused = Settings::read(&v1::PruningSpecification { parameters, ..Default::default() });
            let message = refused.unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
    }

    #[test]
    fn only_invert_unlearns() {
        let unlearn = |method: FineTuning| v1::PruningSpecification {
            fine_tuning: method.into(),
            unlearn_dataset: "datasets/alarms".to_owned(),
            ..Default::default()
        };
        assert_eq!(Settings::read(&unlearn(FineTuning::Invert)).unwrap().method, Method::Invert);
        assert!(Settings::read(&unlearn(FineTuning::FtSam)).is_err());
        let parameters = [("pieces".to_owned(), 2.0)].into();
        let refused = Settings::read(&v1::PruningSpecification { parameters, ..Default::default() });
        assert!(refused.unwrap_err().to_string().contains("no parameter of the method ft"));
    }
}
