//! One point of a prune curve.

use serde::{Deserialize, Serialize};

/// What the network answers with so many channels pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Channels pruned: the first so many of the ranking.
    pub channels: usize,
    /// Clean images that are answered correctly.
    pub clean_correct: usize,
    /// Answers to each set of triggered images, in the order of the sets.
    pub triggered: Vec<TriggeredCounts>,
}

/// What the network answers to one set of triggered images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggeredCounts {
    /// Images that reach the attacker's class: ASR times images.
    pub to_target: usize,
    /// Images that are answered with their true class, RA times images; none where it is not known.
    pub correct: Option<usize>,
}
