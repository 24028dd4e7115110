//! A repair as data: what its `report.json` holds, and what everything else of its report is made of.
//!
//! Whoever repairs fills a [`RepairRecord`]; all fields are public and plain. What is not measured is left out
//! (`None`, or an empty list), never written as 0.

mod networks;
mod pruning;
mod training;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use networks::{AttackOutcome, Counts, GOOD_NET, GateRecord, NetworkRow, SyntheticTrigger};
pub use pruning::{
    ActivationMaps, Choice, CleanSummary, CurvePoint, LayerSummary, PublishedPoint, TriggeredPoint,
    TriggeredSet,
};
pub use training::{Epoch, Training, TrainingRole};

/// The form of a repair's `report.json`; a change that a reader must know of makes it larger.
pub const SCHEMA_VERSION: u64 = 1;

/// The name of the clean images' activation maps.
pub const CLEAN: &str = "clean";

/// How a pruned network was trained further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepairMethod {
    /// Not at all: it was only pruned.
    None,
    /// Fine-tuning on clean images.
    Ft,
    /// Fine-tuning with sharpness-aware minimisation.
    FtSam,
    /// Feature shift tuning, which makes a new output layer.
    Fst,
    /// Inversion of the triggers, which are then unlearned.
    Invert,
}

/// A repair as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepairRecord {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// When the report was made, as its maker said.
    pub made_at: String,
    /// The job that repaired.
    pub job: String,
    /// `models/NAME/versions/VERSION` of the suspect network.
    pub model: String,
    /// The command that repeats it; empty for none.
    pub command: String,
    /// How the pruned network was trained further.
    pub method: RepairMethod,
    /// The layer whose channels were pruned.
    pub layer: LayerSummary,
    /// The clean images.
    pub clean: CleanSummary,
    /// The channels in the order of pruning; empty when nothing was ranked.
    pub ranking: Vec<usize>,
    /// The mean activation of every channel on the ranking images, by channel; empty when nothing was ranked.
    pub means: Vec<f64>,
    /// Channels that no ranking image wakes.
    pub dead: Vec<usize>,
    /// The pruned channels: the first [`Choice::channels`] of the ranking, in any order.
    pub pruned: Vec<usize>,
    /// Mean activation maps: of the clean images first, named [`CLEAN`], then of each triggered set.
    pub activation_maps: Vec<ActivationMaps>,
    /// The triggered sets.
    pub sets: Vec<TriggeredSet>,
    /// What was measured after so many pruned channels, in increasing order of their number.
    pub curve: Vec<CurvePoint>,
    /// Figures of others, shown beside the curve; nothing is asked of them.
    pub published: Vec<PublishedPoint>,
    /// How many channels went, and why.
    pub choice: Choice,
    /// The trainings: candidates, the chosen one, and the one without pruning.
    pub trainings: Vec<Training>,
    /// The networks compared: the untouched one first, the repaired one last, but for [`GOOD_NET`].
    pub networks: Vec<NetworkRow>,
    /// Whether the repaired network may vote.
    pub gate: GateRecord,
    /// What the reader should know of the measurement.
    pub notes: Vec<String>,
    /// Where it was made and of what: digests, seed, versions, threads, machine.
    pub environment: BTreeMap<String, String>,
    /// The settings of the job.
    pub settings: BTreeMap<String, String>,
}
