//! `gifthorse prune NAME --clean FILE|DATASET`

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use gifthorse_api::v1;
use gifthorse_api::v1::pruning_specification::FineTuning;

use super::data::FileOptions;
use super::overrides::Overrides;
use super::{Outcome, Session, data, job};
use crate::client::Gateway;
use crate::error::CommandError;
use crate::output::number::percent;
use crate::reference::{ModelReference, short};

/// What is repaired, and how.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
    /// Clean images: an HDF5 or NPZ file, a folder of pictures, or a stored data set
    #[arg(long, value_name = "FILE|DATASET")]
    clean: String,
    /// The layer to prune [default: the nearest one that the output cannot bypass]
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// Prune until the accuracy on clean images has dropped by this much; 0.04 is four points [default: 0.04]
    #[arg(long, value_name = "DROP", value_parser = drop_of)]
    max_accuracy_drop: Option<f64>,
    /// Prune this many channels, whatever the accuracy
    #[arg(long, value_name = "N", conflicts_with = "max_accuracy_drop", value_parser = clap::value_parser!(i32).range(1..))]
    channels: Option<i32>,
    /// How the pruned network is tuned [default: the service's choice]
    #[arg(long, value_name = "METHOD")]
    fine_tune: Option<Method>,
    /// Images that carry the trigger, collected from alarms, labels unknown: the network unlearns them
    #[arg(long, value_name = "FILE|DATASET")]
    unlearn: Option<String>,
    /// Tune for so many epochs [default: the method's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    epochs: Option<i32>,
    /// Images that carry a trigger, with their true labels and after ':' the attacker's class, where it is known;
    /// they report and gate, and train nothing. Give it again for further triggers
    #[arg(long, value_name = "FILE[:TARGET]")]
    triggered: Vec<Triggered>,
    /// Promote the repaired version when the gate holds
    #[arg(long)]
    publish: bool,
    /// Rank and score on all clean images, as others did, instead of on disjoint parts
    #[arg(long)]
    score_on_all: bool,
    /// Sets a parameter of the method, `learning_rate` or `batch` for example. Give it again for others
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, f64)>,
    /// The gate lets pass what loses no more accuracy than this on held-out clean images [default: 0.1]
    #[arg(long, value_name = "DROP", value_parser = drop_of)]
    gate_accuracy_drop: Option<f64>,
    /// The gate lets pass what no trigger fools more often than this [default: 0.05]
    #[arg(long, value_name = "RATE", value_parser = drop_of)]
    gate_attack_success: Option<f64>,
    /// Seed of every draw
    #[arg(long, value_name = "SEED", default_value_t)]
    seed: u64,
    /// Jobs of a higher priority run first
    #[arg(long, value_name = "N", default_value_t, allow_negative_numbers = true)]
    priority: i32,
    /// Give up when the job is not done after this time: 90s, 30m, 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    deadline: Option<Duration>,
    /// Makes a repeated call answer the job queued first
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Follow the job to its end
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Say what would happen, and queue nothing
    #[arg(long)]
    dry_run: bool,
    // Last: a heading of help holds for all that follows it.
    #[command(flatten)]
    overrides: Overrides,
    #[command(flatten)]
    files: FileOptions,
}

/// How a pruned network is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Plain fine-tuning.
    Ft,
    /// Sharpness-aware fine-tuning.
    FtSam,
    /// Feature shift tuning; needs clean images of every class.
    Fst,
    /// Trigger inversion, clipping and a ridge solve.
    Invert,
    /// Not at all.
    None,
}

impl From<Method> for FineTuning {
    fn from(method: Method) -> Self {
        match method {
            Method::Ft => Self::Ft,
            Method::FtSam => Self::FtSam,
            Method::Fst => Self::Fst,
            Method::Invert => Self::Invert,
            Method::None => Self::NoFineTuning,
        }
    }
}

/// `FILE`, `DATASET`, or one of them and the attacker's class.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Triggered {
    images: String,
    target: Option<i32>,
}

impl FromStr for Triggered {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A class is digits alone; everything else after a colon belongs to the file's name.
        let class = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i32>().ok().filter(|_| digits)
        };
        Ok(match text.rsplit_once(':').and_then(|(images, rest)| Some((images, class(rest)?))) {
            Some((images, target)) if !images.is_empty() => {
                Self { images: images.to_owned(), target: Some(target) }
            }
            _ => Self { images: text.to_owned(), target: None },
        })
    }
}

fn drop_of(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(drop) if drop > 0.0 && drop <= 1.0 => Ok(drop),
        _ => Err("use a number above 0 and at most 1: 0.04 is four points".to_owned()),
    }
}

fn parameter(text: &str) -> Result<(String, f64), String> {
    let read = text.split_once('=').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    read.filter(|(name, value): &(String, f64)| !name.is_empty() && value.is_finite())
        .ok_or_else(|| "use a name and a finite number: learning_rate=0.001".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = humantime_serde::re::humantime::parse_duration(text);
    match parsed {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("use a number and a unit: 90s, 30m, 2h".to_owned()),
    }
}

impl Arguments {
    /// The specification, with every local file stored.
    async fn specification(&self, gateway: &Gateway) -> Result<v1::PruningSpecification, CommandError> {
        let clean_dataset = data::resolve(gateway, &self.clean, &self.files).await?;
        let mut triggered = Vec::new();
        for set in &self.triggered {
            let dataset = data::resolve(gateway, &set.images, &self.files).await?;
            triggered.push(v1::TriggeredSet { dataset, target: set.target });
        }
        let unlearn_dataset = match &self.unlearn {
            Some(text) => data::resolve(gateway, text, &self.files).await?,
            None => String::new(),
        };
        let method = self.fine_tune.map_or(FineTuning::Unspecified, FineTuning::from);
        let deadline = self.deadline.and_then(|deadline| prost_types::Duration::try_from(deadline).ok());
        Ok(v1::PruningSpecification {
            model: self.name.resource(),
            clean_dataset,
            layer: self.layer.clone().unwrap_or_default(),
            max_accuracy_drop: self.max_accuracy_drop.unwrap_or_default(),
            channel_count: self.channels.unwrap_or_default(),
            fine_tuning: method.into(),
            epochs: self.epochs.unwrap_or_default(),
            triggered,
            unlearn_dataset,
            publish: self.publish,
            seed: self.seed,
            score_on_all: self.score_on_all,
            priority: self.priority,
            deadline,
            preprocessing_override: self.overrides.message(),
            parameters: self.parameter.iter().cloned().collect(),
            gate: Some(v1::GateLimits {
                max_accuracy_drop: self.gate_accuracy_drop.unwrap_or_default(),
                max_attack_success_rate: self.gate_attack_success.unwrap_or_default(),
                confidence: 0.0,
            }),
            ..Default::default()
        })
    }
}

/// Stores the images where they are local, queues the job, and follows it where that was asked for.
pub async fn run(session: &mut Session, arguments: Arguments) -> Result<Outcome, CommandError> {
    let gateway = session.connect().await?;
    let request = v1::CreatePruningJobRequest {
        specification: Some(arguments.specification(&gateway).await?),
        request_id: arguments.request_id.clone().unwrap_or_default(),
        validate_only: arguments.dry_run,
    };
    let reply = gateway.pruning_jobs().create_pruning_job(request).await;
    let reply = reply.map_err(|status| gateway.refused(status))?.into_inner();
    if arguments.dry_run {
        let plan = reply.plan.unwrap_or_default();
        session.output.reply(&plan, |plan| Planned(plan.clone()))?;
        return Ok(Outcome::Done);
    }
    let job = reply.job.unwrap_or_default();
    if arguments.wait {
        return job::watch::to_the_end(session, &gateway, &job.name).await;
    }
    session.output.reply(&job, |job| {
        let id = short(&job.name);
        format!("queued {id}: `gifthorse job watch {id}` follows it")
    })?;
    Ok(Outcome::Done)
}

/// What a dry run found, for people.
struct Planned(v1::PruningPlan);

impl std::fmt::Display for Planned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plan = &self.0;
        let mut facts = crate::output::facts::Facts::new();
        facts.add("layer", format!("{}, {} channels", plan.layer, plan.channels));
        facts.add("could be pruned", plan.layers.join(", "));
        facts.add("images", format!("{} rank, {} score", plan.ranking_images, plan.scoring_images));
        facts.add("class coverage", percent(plan.class_coverage));
        facts.add("memory", format!("about {} MiB", plan.memory_bytes >> 20));
        let seconds = plan.duration.map_or(0, |duration| duration.seconds);
        facts.add("time", format!("about {}", crate::commands::job::human::span(seconds)));
        facts.add("queue", format!("{}, {} jobs before it", plan.queue, plan.jobs_ahead));
        write!(formatter, "{facts}")?;
        plan.warnings.iter().try_for_each(|warning| writeln!(formatter, "note: {warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_may_follow_the_images() {
        let parse = |text: &str| text.parse::<Triggered>().unwrap();
        assert_eq!(parse("worn.h5:3"), Triggered { images: "worn.h5".into(), target: Some(3) });
        assert_eq!(parse("a:b.h5"), Triggered { images: "a:b.h5".into(), target: None });
        assert_eq!(parse("worn.h5"), Triggered { images: "worn.h5".into(), target: None });
        assert_eq!(parse(":3").images, ":3");
        assert_eq!(parse("a:-1").target, None);
    }

    #[test]
    fn parameters_have_a_name_and_a_number() {
        assert_eq!(parameter("learning_rate=1e-3"), Ok(("learning_rate".to_owned(), 1e-3)));
        for text in ["", "batch", "=3", "batch=", "batch=many", "batch=NaN"] {
            assert!(parameter(text).is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90s").unwrap().as_secs(), 90);
        for text in ["", "90", "0s", "soon"] {
            assert!(duration(text).is_err(), "{text:?} must be refused");
        }
    }
}
