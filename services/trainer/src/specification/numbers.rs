//! What can be said of a specification by looking at it alone.

use std::time::Duration;

use gifthorse_api::name::{DatasetName, ModelName};
use gifthorse_api::v1;

use super::SpecificationError as Error;
use crate::configuration::{JobsConfiguration, is_object_name};
use crate::error::TrainerError;
use crate::time::{Millis, millis};

/// The most epochs, retries, triggered sets, labels and parameters of a job.
const EPOCHS: i32 = 10_000;
const RETRIES: i32 = 100;
const TRIGGERED: usize = 64;
const ENTRIES: usize = 64;
/// The longest text in labels and layers, in characters.
const TEXT: usize = 256;
/// The longest name that is also a label's value.
const LABEL: usize = 63;
/// A hundred years, in seconds: longer durations are mistakes.
const LONGEST: i64 = 100 * 365 * 24 * 60 * 60;

/// A specification whose values lie within the contract, with its names read.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    /// The specification as it was sent.
    pub(crate) specification: v1::PruningSpecification,
    /// The model or version.
    pub(crate) model: ModelName,
    /// The clean images.
    pub(crate) clean: DatasetName,
    /// The triggered images.
    pub(crate) triggered: Vec<(DatasetName, Option<i32>)>,
    /// The images to unlearn.
    pub(crate) unlearn: Option<DatasetName>,
    /// How long it may take in all; 0 for no limit.
    pub(crate) within: Millis,
    /// How long it is kept once it has ended.
    pub(crate) keep: Millis,
    /// How often a failed attempt is repeated.
    pub(crate) max_retries: i64,
}

/// Reads a specification.
pub(crate) fn check(
    specification: v1::PruningSpecification,
    settings: &JobsConfiguration,
) -> Result<Checked, TrainerError> {
    let model = specification.model.parse().map_err(|error| Error::field("model", format!("{error}")))?;
    let dataset = |field: &str, text: &str| {
        text.parse::<DatasetName>().map_err(|error| Error::field(field, format!("{error}")))
    };
    let clean = dataset("clean_dataset", &specification.clean_dataset)?;
    if specification.triggered.len() > TRIGGERED {
        let message = format!("has {} sets, use at most {TRIGGERED}", specification.triggered.len());
        return Err(Error::field("triggered", message).into());
    }
    let mut triggered = Vec::new();
    for (index, set) in specification.triggered.iter().enumerate() {
        let name = dataset(&format!("triggered[{index}].dataset"), &set.dataset)?;
        if triggered.iter().any(|(other, _)| *other == name) {
            let message = format!("{name} is named twice: results are kept by name");
            return Err(Error::field(&format!("triggered[{index}].dataset"), message).into());
        }
        triggered.push((name, set.target));
    }
    let unlearn = match specification.unlearn_dataset.as_str() {
        "" => None,
        text => Some(dataset("unlearn_dataset", text)?),
    };
    amounts(&specification)?;
    gate(specification.gate.unwrap_or_default())?;
    resources(&specification.resources.clone().unwrap_or_default())?;
    entries(&specification)?;
    let within = duration("deadline", specification.deadline.as_ref())?;
    let keep = duration("keep", specification.keep.as_ref())?;
    let max_retries = match specification.max_retries {
        -1 => 0,
        0 => i64::from(settings.retries),
        count => i64::from(count),
    };
    Ok(Checked {
        model,
        clean,
        triggered,
        unlearn,
        within: within.map_or(0, millis),
        keep: millis(keep.unwrap_or(settings.keep)),
        max_retries,
        specification,
    })
}

fn amounts(specification: &v1::PruningSpecification) -> Result<(), Error> {
    let drop = specification.max_accuracy_drop;
    if !(0.0..=1.0).contains(&drop) {
        let message = format!("is {drop}, use a number of 0 to 1: 0.04 is four points");
        return Err(Error::field("max_accuracy_drop", message));
    }
    let channels = specification.channel_count;
    if channels < 0 {
        return Err(Error::field(
            "channel_count",
            format!("is {channels}, use 0 for none or a positive number"),
        ));
    }
    if channels > 0 && drop > 0.0 {
        let message = format!("is {channels} beside a max_accuracy_drop of {drop}: give one of both");
        return Err(Error::field("channel_count", message));
    }
    if v1::pruning_specification::FineTuning::try_from(specification.fine_tuning).is_err() {
        let message = format!("is {}, which is no method of this release", specification.fine_tuning);
        return Err(Error::field("fine_tuning", message));
    }
    let epochs = specification.epochs;
    if !(0..=EPOCHS).contains(&epochs) {
        return Err(Error::field("epochs", format!("is {epochs}, use 0 for the default or 1 to {EPOCHS}")));
    }
    let retries = specification.max_retries;
    if !(-1..=RETRIES).contains(&retries) {
        let message = format!("is {retries}, use 0 for the default, -1 for never or 1 to {RETRIES}");
        return Err(Error::field("max_retries", message));
    }
    if specification.layer.chars().count() > TEXT {
        return Err(Error::field("layer", format!("has more than {TEXT} characters")));
    }
    Ok(())
}

fn gate(limits: v1::GateLimits) -> Result<(), Error> {
    let fractions = [
        ("gate.max_accuracy_drop", limits.max_accuracy_drop),
        ("gate.max_attack_success_rate", limits.max_attack_success_rate),
    ];
    for (field, value) in fractions {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::field(field, format!("is {value}, use a number of 0 to 1")));
        }
    }
    let confidence = limits.confidence;
    if confidence != 0.0 && !(confidence > 0.0 && confidence < 1.0) {
        let message = format!("is {confidence}, use 0 for 0.95 or a number above 0 and below 1");
        return Err(Error::field("gate.confidence", message));
    }
    Ok(())
}

fn resources(resources: &v1::WorkerResources) -> Result<(), Error> {
    let cores = resources.cores;
    if !(0.0..=4096.0).contains(&cores) {
        return Err(Error::field(
            "resources.cores",
            format!("is {cores}, use 0 for the default or up to 4096"),
        ));
    }
    if resources.memory_bytes < 0 {
        let message = format!("is {}, use 0 for the default or a positive number", resources.memory_bytes);
        return Err(Error::field("resources.memory_bytes", message));
    }
    if !(0..=1024).contains(&resources.gpus) {
        return Err(Error::field("resources.gpus", format!("is {}, use 0 to 1024", resources.gpus)));
    }
    for (field, text) in
        [("resources.queue", &resources.queue), ("resources.priority_class", &resources.priority_class)]
    {
        if text.is_empty() {
            continue;
        }
        if !is_object_name(text) || text.len() > LABEL {
            let message =
                format!("{text:?} is no name of Kubernetes: use a-z, 0-9, '-' and '.', at most {LABEL}");
            return Err(Error::field(field, message));
        }
        // Those classes let a worker push out what keeps a node alive.
        if text.starts_with("system-") {
            return Err(Error::field(field, format!("{text:?} is not for jobs")));
        }
    }
    Ok(())
}

fn entries(specification: &v1::PruningSpecification) -> Result<(), Error> {
    for (field, count) in
        [("parameters", specification.parameters.len()), ("labels", specification.labels.len())]
    {
        if count > ENTRIES {
            return Err(Error::field(field, format!("has {count} entries, use at most {ENTRIES}")));
        }
    }
    if let Some((name, value)) = specification.parameters.iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::field(
            &format!("parameters[{name:?}]"),
            format!("is {value}, use a finite number"),
        ));
    }
    let long = |text: &String| text.chars().count() > TEXT;
    if specification.labels.iter().any(|(key, value)| long(key) || long(value)) {
        return Err(Error::field("labels", format!("holds a text of more than {TEXT} characters")));
    }
    Ok(())
}

fn duration(field: &str, duration: Option<&prost_types::Duration>) -> Result<Option<Duration>, Error> {
    let Some(given) = duration else { return Ok(None) };
    let wrong = || Error::field(field, format!("is {given}, use more than 0 s and at most 100 years"));
    if given.seconds > LONGEST {
        return Err(wrong());
    }
    match Duration::try_from(*given) {
        Ok(duration) if duration >= Duration::from_millis(1) => Ok(Some(duration)),
        _ => Err(wrong()),
    }
}
