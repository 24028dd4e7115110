//! What came of a repair: the networks side by side, and the gate.

use gifthorse_defence::pruning::GateAnswer;
use serde::{Deserialize, Serialize};

/// A count out of a total; a total of 0 is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Images that are meant.
    pub count: usize,
    /// Images looked at.
    pub total: usize,
}

/// The name of the network with one more class, M: it answers "backdoored" where the repaired network disagrees
/// with the suspect one.
pub const GOOD_NET: &str = "GoodNet";

/// What was measured of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkRow {
    /// Which: `before`, `fine-tuned only`, `pruned`, `fine-pruned`, [`GOOD_NET`].
    pub name: String,
    /// Correct answers on held-out clean images.
    pub held_out: Counts,
    /// Those of them whose classes the repair saw.
    pub seen: Option<Counts>,
    /// Those of them whose classes the repair never saw.
    pub unseen: Option<Counts>,
    /// On triggered sets.
    pub attacks: Vec<AttackOutcome>,
}

/// What one network answers to one triggered set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttackOutcome {
    /// `datasets/NAME`: one of the record's sets.
    pub set: String,
    /// Images that reach the attacker's class (ASR).
    pub success: Counts,
    /// Images that get their true class (RA).
    pub recovered: Option<Counts>,
    /// Images that are answered with "backdoored", class M.
    pub detected: Option<Counts>,
}

/// What the gate asked and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GateRecord {
    /// The answer.
    pub answer: GateAnswer,
    /// What it looked at and found, for people.
    pub reasons: Vec<String>,
    /// The largest drop of clean accuracy, in points of 1.
    pub max_accuracy_drop: f64,
    /// The largest rate at which triggered images reach the attacker's class, 0..1.
    pub max_attack_success_rate: f64,
    /// The confidence of each one-sided bound, 0..1.
    pub confidence: f64,
    /// Triggers that were stamped to see whether they work.
    pub synthetic: Vec<SyntheticTrigger>,
}

/// A trigger of the repair's own making.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyntheticTrigger {
    /// What it looks like and where it is stamped, for people.
    pub name: String,
    /// The class it is aimed at.
    pub class: u32,
    /// Images it was stamped on.
    pub images: usize,
    /// Those that reach the class in the suspect network.
    pub before: usize,
    /// Those that reach it in the repaired one.
    pub after: usize,
}
