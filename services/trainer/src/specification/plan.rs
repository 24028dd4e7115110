//! What a job would do, told before anything is stored.

use gifthorse_api::v1;
use gifthorse_api::v1::pruning_specification::FineTuning;

use super::{Checked, Subject};

/// Bytes of a number.
const NUMBER: u64 = 4;
/// Bytes that a worker takes before it holds any image.
const PROGRAM: u64 = 400 << 20;
/// Bytes of activations that are held in memory; more are kept on the disk.
const ACTIVATIONS: u64 = 1 << 30;
/// Weights that fine-tuning keeps beside the weights: gradients and two moments.
const COPIES: u64 = 4;
/// Images whose activations are in memory at once while a network is trained.
const BATCH: u64 = 128;
/// Multiplications a second that one core makes, roughly: the estimate is for deciding whether to wait, no more.
const RATE: f64 = 5e9;
/// Passes over the network that a step of training costs.
const TRAINING: f64 = 3.0;
/// Epochs that are reckoned with when nobody names them.
const EPOCHS: f64 = 10.0;
/// Accuracy over fewer images moves by more than a point with each of them.
const FEW_IMAGES: u64 = 100;

/// What the trainer knows beside the job.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Where it would queue when it does not say.
    pub(crate) queue: String,
    /// Waiting jobs that would run before it.
    pub(crate) ahead: i64,
    /// The most memory that a worker may have.
    pub(crate) memory_limit: Option<u64>,
    /// Whether somebody must come for the job.
    pub(crate) workers_come: bool,
}

/// What the job would do.
pub(crate) fn plan(checked: &Checked, subject: &Subject, surroundings: &Surroundings) -> v1::PruningPlan {
    let specification = &checked.specification;
    let full = subject.class_coverage() >= 1.0;
    let (ranking, scoring) = shares(subject.clean.contents.image_count, specification.score_on_all, full);
    let memory = memory_bytes(subject, ranking.max(scoring));
    let resources = specification.resources.clone().unwrap_or_default();
    let queue = if resources.queue.is_empty() { surroundings.queue.clone() } else { resources.queue };
    let mut layers: Vec<String> = subject.activations.iter().map(|one| one.at.layer.clone()).collect();
    layers.dedup();
    v1::PruningPlan {
        layer: subject.chosen.at.layer.clone(),
        channels: i32::try_from(subject.chosen.at.channels).unwrap_or(i32::MAX),
        layers,
        ranking_images: ranking as i64,
        scoring_images: scoring as i64,
        class_coverage: subject.class_coverage(),
        memory_bytes: memory as i64,
        duration: Some(seconds(checked, subject, ranking, scoring)),
        queue,
        jobs_ahead: i32::try_from(surroundings.ahead).unwrap_or(i32::MAX),
        warnings: warnings(checked, subject, surroundings, scoring, memory),
    }
}

/// Images that rank and that score, about: half of them each, or all of them both. Where classes are missing, half of
/// the classes only score, and a fifth of the images of the others.
pub(crate) const fn shares(images: u64, score_on_all: bool, full_coverage: bool) -> (u64, u64) {
    if score_on_all {
        return (images, images);
    }
    let half = images - images / 2;
    let ranking = if full_coverage || half < 2 { half } else { half * 4 / 5 };
    (ranking, images - ranking)
}

fn memory_bytes(subject: &Subject, images: u64) -> u64 {
    let record = &subject.model.specification;
    let at = &subject.chosen.at;
    let cached = images.saturating_mul(at.channels * at.height * at.width).saturating_mul(NUMBER);
    let widths = record.layers.iter().map(|layer| layer.output_shape.iter().product::<u64>());
    let trained = widths.sum::<u64>().saturating_mul(BATCH * NUMBER);
    let weights = record.parameter_count.saturating_mul(NUMBER * COPIES);
    PROGRAM.saturating_add(cached.min(ACTIVATIONS)).saturating_add(trained).saturating_add(weights)
}

/// Multiplications of one pass: every weight is used at every place of its layer's picture.
fn multiplications(subject: &Subject) -> f64 {
    let layers = &subject.model.specification.layers;
    let of = |layer: &gifthorse_store::LayerRecord| {
        let places = match layer.output_shape.as_slice() {
            [one, two, three] => (one * two).min(two * three).max(1),
            _ => 1,
        };
        layer.parameter_count as f64 * places as f64
    };
    layers.iter().map(of).sum::<f64>().max(subject.model.specification.parameter_count as f64)
}

fn seconds(checked: &Checked, subject: &Subject, ranking: u64, scoring: u64) -> prost_types::Duration {
    let specification = &checked.specification;
    let pass = multiplications(subject) / RATE;
    let epochs = match (specification.fine_tuning(), specification.epochs) {
        (FineTuning::NoFineTuning, _) => 0.0,
        (_, 0) => EPOCHS,
        (_, epochs) => f64::from(epochs),
    };
    // The sweep runs the part behind the layer once a channel, which is the lesser part.
    let sweep = subject.chosen.at.channels as f64 * 0.2;
    let passes = ranking as f64 + scoring as f64 * (2.0 + sweep) + ranking as f64 * epochs * TRAINING;
    let seconds = (5.0 + passes * pass).ceil();
    prost_types::Duration { seconds: seconds.min(1e9) as i64, nanos: 0 }
}

fn warnings(
    checked: &Checked,
    subject: &Subject,
    surroundings: &Surroundings,
    scoring: u64,
    memory: u64,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let specification = &checked.specification;
    if let Some(bypass) = &subject.chosen.bypass {
        warnings.push(format!(
            "layer {:?} does not carry the whole network: {bypass:?} goes around it, so that a trigger may pass \
             whatever is pruned",
            subject.chosen.at.layer
        ));
    }
    let coverage = subject.class_coverage();
    if coverage < 1.0 {
        warnings.push(format!(
            "the clean images show {:.1} % of the classes: what becomes of the others is not measured on them",
            coverage * 100.0
        ));
    }
    if scoring < FEW_IMAGES {
        warnings.push(format!(
            "{scoring} images score: each moves the accuracy by {:.1} points",
            100.0 / scoring.max(1) as f64
        ));
    }
    if specification.score_on_all {
        warnings.push("the images that rank also score: the accuracy is no held-out accuracy".to_owned());
    }
    if specification.triggered.is_empty() {
        let none = "no triggered images: the gate can find no evidence left, but not that it is repaired";
        warnings.push(none.to_owned());
    }
    if surroundings.memory_limit.is_some_and(|limit| memory > limit) {
        warnings.push(format!(
            "it may need {} MiB, more than a worker may have: launcher.memory of the trainer",
            memory >> 20
        ));
    }
    if surroundings.workers_come {
        warnings.push("this trainer starts no workers: the job waits until one comes for it".to_owned());
    }
    warnings
}
