//! What an inversion job has found so far: the part of the job's state that is this method's.

use serde::{Deserialize, Serialize};

use super::clean::Clean;

/// Where the method stands. Its steps come in this order, some are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::repair) enum Step {
    /// Where the alarms' images give themselves away.
    #[default]
    Alarms,
    /// What of them is the trigger.
    Stickers,
    /// Which classes are looked at.
    Aims,
    /// How large masks of classes without a backdoor are.
    Controls,
    /// Which of the classes that the screen named have a small one.
    Screened,
    /// Triggers of the classes, piece by piece.
    Pieces,
    /// The weights.
    Solve,
    /// Nothing is left to do.
    Ended,
}

/// Why a class is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::repair) enum Source {
    /// The output layer stands out.
    Audit,
    /// The suspect answers it to the images to unlearn.
    Alarms,
    /// Patches lead to it, and a small mask does.
    Screen,
}

impl Source {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Audit => "the audit of the output layer",
            Self::Alarms => "the images to unlearn",
            Self::Screen => "the screen of all classes",
        }
    }
}

/// One trigger or piece of one; its numbers lie among the weights, in the same order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::repair) struct Piece {
    /// The class it leads to.
    pub(in crate::repair) class: u32,
    /// From where the class is known.
    pub(in crate::repair) source: Source,
    /// Pixels of its mask.
    pub(in crate::repair) size: f64,
    /// Share of clean images that it takes to the class.
    pub(in crate::repair) attack_rate: f64,
}

impl Piece {
    /// Whether it lies over most of the image.
    pub(super) fn is_over_all(&self, clean: &Clean) -> bool {
        let (height, width, _) = clean.geometry.sides();
        2.0 * self.size > (height * width) as f64
    }
}

/// One inversion whose trigger is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::repair) struct Inversion {
    pub(in crate::repair) class: u32,
    pub(in crate::repair) size: f64,
    pub(in crate::repair) attack_rate: f64,
}

/// Where an image to unlearn gives itself away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::repair) struct Alarm {
    /// What the suspect answers.
    pub(in crate::repair) class: u32,
    /// First row and count of rows of the band that carries the answer; none where bands could not be tried.
    pub(in crate::repair) band: Option<(usize, usize)>,
}

/// Everything found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::repair) struct Found {
    pub(in crate::repair) step: Step,
    /// Parts of the work that were told to be done.
    pub(in crate::repair) parts: u64,
    /// Of each image to unlearn that was looked at.
    pub(in crate::repair) alarms: Vec<Alarm>,
    /// Images to unlearn whose trigger was looked for.
    pub(in crate::repair) extracted: usize,
    /// Classes whose triggers are inverted.
    pub(in crate::repair) aims: Vec<(u32, Source)>,
    /// Classes that the screen names.
    pub(in crate::repair) shortlist: Vec<u32>,
    /// Inversions of classes drawn to compare with.
    pub(in crate::repair) controls: Vec<Inversion>,
    /// Inversions of the shortlist.
    pub(in crate::repair) screened: Vec<Inversion>,
    /// Aims that are done with, and inversions of the one under way.
    pub(in crate::repair) aimed: usize,
    pub(in crate::repair) inversions: u32,
    /// What is unlearned.
    pub(in crate::repair) pieces: Vec<Piece>,
    /// Held-out images right before and after, of how many, and how strongly the triggers were weighed.
    pub(in crate::repair) outcome: Option<Kept>,
    /// Why the network stays as it is.
    pub(in crate::repair) given_up: Option<String>,
    /// Lines for the report.
    pub(in crate::repair) notes: Vec<String>,
}

/// What the repair costs on held-out clean images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::repair) struct Kept {
    pub(in crate::repair) before: usize,
    pub(in crate::repair) after: usize,
    pub(in crate::repair) images: usize,
    /// How it came about.
    pub(in crate::repair) how: How,
}

/// How triggers were unlearned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::repair) enum How {
    /// By linear equations.
    Solved {
        /// How much stamped images counted beside clean ones.
        weight: f64,
        /// Whether the biases of the classes were lowered.
        lowered: bool,
    },
    /// By gradients.
    Trained {
        /// The step size at the beginning.
        learning_rate: f64,
    },
}

impl How {
    pub(super) fn words(self) -> String {
        match self {
            Self::Solved { weight, lowered: true } => {
                format!("stamped images weighed {weight}, biases lowered")
            }
            Self::Solved { weight, lowered: false } => {
                format!("stamped images weighed {weight}, biases as they were")
            }
            Self::Trained { learning_rate } => format!("trained with a learning rate of {learning_rate}"),
        }
    }
}

impl Found {
    /// The largest mask that is taken for a trigger's: a part of the median of the classes drawn to compare with.
    pub(super) fn largest_mask(&self) -> f64 {
        const PART: f64 = 0.75;
        let mut sizes: Vec<f64> = self.controls.iter().map(|control| control.size).collect();
        sizes.sort_by(f64::total_cmp);
        let upper = sizes.get(sizes.len() / 2).copied();
        let lower = sizes.len().checked_sub(1).and_then(|last| sizes.get(last / 2)).copied();
        upper.zip(lower).map_or(f64::INFINITY, |(upper, lower)| PART * f64::midpoint(upper, lower))
    }

    /// The classes something is known to lead to, each once.
    pub(super) fn classes(&self) -> Vec<u32> {
        let mut classes: Vec<u32> = self.pieces.iter().map(|piece| piece.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}
