//! What a job has found so far: all that a checkpoint holds, beside the weights.

use std::collections::BTreeMap;
use std::path::Path;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_defence::pruning::{CleanSplit, GateVerdict, Ranking};
use serde::{Deserialize, Serialize};

use crate::engine::EngineFault;
use crate::pruning::SweepPoint;

const FILE: &str = "state.json";

/// What was found, stage by stage. Everything later follows from it, from the assignment and from the weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// How the clean images were divided.
    pub(super) split: Option<CleanSplit>,
    /// What the suspect answers.
    pub(super) before: Answers,
    /// The attacker's class of each triggered set, given or found.
    pub(super) targets: Vec<Option<u32>>,
    /// The order of the channels.
    pub(super) ranked: Option<Ranked>,
    /// The curve so far, the untouched network first.
    pub(super) points: Vec<SweepPoint>,
    /// How many channels go.
    pub(super) choice: Option<Chosen>,
    /// The trainings that have ended, in their order.
    pub(super) trainings: Vec<TrainingRecord>,
    /// The one that is under way.
    pub(super) training: Option<TrainingRecord>,
    /// What the inversion found.
    #[serde(default)]
    pub(super) found: super::invert::Found,
    /// What the networks that came out answer, by name.
    pub(super) after: BTreeMap<String, Answers>,
    /// What the triggers of the service's own making do.
    pub(super) stamped: Vec<StampedCounts>,
    /// What the gate said.
    pub(super) verdict: Option<GateVerdict>,
}

/// The classes that a network answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// For each clean image.
    pub(super) clean: Vec<u32>,
    /// For each image of each triggered set.
    pub(super) triggered: Vec<Vec<u32>>,
}

/// The layer over clean images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ranked {
    /// The channels, the sleepiest first.
    pub(super) ranking: Ranking,
    /// The mean activation of each channel.
    pub(super) means: Vec<f64>,
    /// Channels that never fire.
    pub(super) dead: Vec<usize>,
    /// The mean activation at each place, `[C, H, W]`: over the ranking images, then over each triggered set.
    pub(super) maps: Vec<Map>,
}

/// A mean activation at each place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Map {
    pub(super) images: u64,
    /// `[C, H, W]`, row-major.
    pub(super) values: Vec<f32>,
}

/// Where the pruning ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    /// The channels that go, ascending.
    pub(super) channels: Vec<usize>,
    /// Why so many.
    pub(super) reason: String,
}

/// What a training is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TrainingRole {
    /// One of the settings that are tried on the pruned network.
    Candidate,
    /// The unpruned network, tuned with the settings that were chosen, to compare with.
    TunedOnly,
}

/// One training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainingRecord {
    pub(super) role: TrainingRole,
    /// Its number among the candidates, or that of the settings it has from one: the settings follow from it.
    pub(super) candidate: usize,
    pub(super) epochs: Vec<EpochRecord>,
    /// Why it ended before its time.
    pub(super) error: Option<String>,
}

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EpochRecord {
    /// Mean cross entropy of the images while they were learned from, in nats.
    pub(super) mean_loss: f64,
    /// Scoring images answered correctly after it.
    pub(super) correct: usize,
}

/// What images with a trigger of the service's own making are answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StampedCounts {
    /// The trigger, for people.
    pub(super) trigger: String,
    /// Whether it is something that people wear.
    pub(super) is_worn: bool,
    /// The class it is aimed at.
    pub(super) class: u32,
    /// Stamped images of other classes.
    pub(super) images: usize,
    /// Those that reach the class in the suspect.
    pub(super) before: usize,
    /// The same in the repaired network.
    pub(super) after: usize,
    /// Those whose answer the trigger changes at all, in either.
    pub(super) changed: [usize; 2],
}

impl State {
    /// Writes it into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), EngineFault> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec(self).map_err(|error| unreadable(&path, &error))?;
        std::fs::write(&path, text).map_err(|error| EngineFault::file("write", &path, &error))
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(super) fn read(folder: &Path) -> Result<Self, EngineFault> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).map_err(|error| EngineFault::file("read", &path, &error))?;
        serde_json::from_slice(&text).map_err(|error| unreadable(&path, &error))
    }
}

fn unreadable(path: &Path, error: &serde_json::Error) -> EngineFault {
    EngineFault::internal(
        ErrorCode::RecordInvalid,
        format!("{} is no state of a job: {error}", path.display()),
    )
}

/// How many answers are the classes they should be.
pub(super) fn correct(answers: &[u32], truth: &[u32]) -> usize {
    answers.iter().zip(truth).filter(|(answer, truth)| answer == truth).count()
}
