//! The gate before a repaired network may vote or be promoted.
//!
//! Success cannot be proven without real triggered samples, failure can: a repair that was only tried with
//! triggers the service stamped itself has left no evidence at best.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::paired::PairedAccuracy;
use crate::evaluation::Proportion;
use crate::level::{Level, Share};

/// What the gate asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateLimits {
    /// The largest drop of the accuracy on held-out clean images, in points of 1.
    pub accuracy_drop: Share,
    /// The largest rate at which triggered images reach the attacker's class.
    pub attack_success: Share,
    /// The doubt of each one-sided bound: 0.05 for 95 % confidence.
    pub doubt: Level,
    /// Among how many settings the clean images chose before they judge. The doubt of the accuracy's bound is
    /// divided by it (Bonferroni): the best of several looks better than it is.
    pub settings_tried: NonZeroU32,
}

/// Which held-out clean images the drop was measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedOn {
    /// Images of all classes: the clean set covers them.
    AllClasses,
    /// Images of classes that the repair never saw: the clean set does not cover all.
    UnseenClasses,
    /// Images that ranked and trained as well, to reproduce what others did. They prove nothing.
    NotHeldOut,
}

/// Where triggered images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Stamped by the service with a trigger of its own making.
    Synthetic,
    /// Stamped by the service as well, but something that people wear. It hides what tells them apart, so that a network
    /// may take all of them for one person without any backdoor.
    Worn,
    /// Given by a user or collected from alarms: the attacker's own.
    Real,
}

/// One set of triggered images, before and after the repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attack {
    /// The set, for people.
    pub name: String,
    /// Where its trigger comes from.
    pub trigger: Trigger,
    /// Images that reach the attacker's class in the suspect network.
    pub before: Proportion,
    /// The same in the repaired one.
    pub after: Proportion,
    /// Images whose answer the trigger changes at all, in the suspect and in the repaired network; none where nobody knows
    /// what they are answered without it.
    pub changed: Option<[usize; 2]>,
}

impl Attack {
    /// Whether most of what the trigger changes becomes the attacker's class. What merely covers up an image changes
    /// answers as well, but spreads them.
    fn leads(&self, which: usize, reached: Proportion) -> bool {
        self.changed.is_none_or(|changed| 2 * reached.count() > changed[which])
    }
}

/// What spoke against the network before anything was stamped on its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Its output layer was looked at and nothing stands out; nobody brought images that gave alarms.
    None,
    /// Its output layer could not be looked at.
    NotAudited,
    /// Classes stand out in its output layer.
    OutputLayer,
    /// Images gave alarms.
    Alarms,
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GateAnswer {
    /// The network must not vote.
    NotRepaired,
    /// The suspect showed no backdoor: none of the triggers that were tried worked on it. That it has none is not said.
    NothingToRepair,
    /// Nothing that was tried works any more, and no real trigger was tried.
    NoEvidenceLeft,
    /// Real triggers worked before and do not any more.
    Repaired,
}

/// One thing that the gate looked at, and what it found. Rates and bounds are 0..1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum GateReason {
    /// The drop of clean accuracy is within the limit, with the confidence asked for.
    AccuracyKept {
        /// On which images.
        on: JudgedOn,
        /// The drop measured.
        drop: f64,
        /// Its bound.
        bound: f64,
    },
    /// It is not, or too few images were there to say so.
    AccuracyLost {
        /// On which images.
        on: JudgedOn,
        /// The drop measured.
        drop: f64,
        /// Its bound.
        bound: f64,
        /// The limit.
        limit: f64,
    },
    /// The images that judge had a part in the repair.
    NothingHeldOut {
        /// The drop measured.
        drop: f64,
    },
    /// A trigger does not work any more.
    TriggerFails {
        /// The set.
        set: String,
        /// Where its trigger comes from.
        trigger: Trigger,
        /// The rate measured.
        rate: f64,
        /// Its bound.
        bound: f64,
    },
    /// A trigger still works, or too few images were there to say that it does not.
    TriggerWorks {
        /// The set.
        set: String,
        /// Where its trigger comes from.
        trigger: Trigger,
        /// The rate measured.
        rate: f64,
        /// Its bound.
        bound: f64,
        /// The limit.
        limit: f64,
    },
    /// A trigger changes answers, as anything does that covers up a part of an image, and no class takes most of them.
    Disturbs {
        /// The set.
        set: String,
        /// Images that it brings to the class.
        rate: f64,
        /// Images whose answer it changes.
        changed: f64,
    },
    /// A set given as real triggers did not work on the suspect network: it proves nothing.
    NeverWorked {
        /// The set.
        set: String,
        /// The rate in the suspect network.
        rate: f64,
    },
    /// No real trigger was tried.
    NoRealTrigger,
    /// No trigger was tried at all.
    NothingTried,
    /// No trigger that was tried worked on the suspect network, and nothing else spoke against it.
    NothingFound,
    /// The repair was given up, and what was judged is the suspect network.
    GivenUp {
        /// Why.
        why: String,
    },
}

/// The answer and all that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateVerdict {
    /// The answer.
    pub answer: GateAnswer,
    /// What was looked at, the accuracy first.
    pub reasons: Vec<GateReason>,
}

/// The gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    limits: GateLimits,
}

impl GateVerdict {
    /// The verdict on a repair that was given up: whatever the suspect network does, it is not repaired. One that showed
    /// nothing to repair still shows nothing.
    #[must_use]
    pub fn given_up(mut self, why: &str) -> Self {
        if self.answer != GateAnswer::NothingToRepair {
            self.answer = GateAnswer::NotRepaired;
        }
        self.reasons.push(GateReason::GivenUp { why: why.to_owned() });
        self
    }
}

impl GateLimits {
    /// The doubt of the accuracy's bound; the whole one where its part is too fine a fraction to be told.
    fn accuracy_doubt(&self) -> Level {
        let part = Share::new(1, u64::from(self.settings_tried.get()));
        part.and_then(|part| self.doubt.part(part)).unwrap_or(self.doubt)
    }
}

impl Gate {
    /// A gate with these limits.
    pub const fn new(limits: GateLimits) -> Self {
        Self { limits }
    }

    /// Judges a repair. `NOTHING_TO_REPAIR` when nothing spoke against the suspect and none of the triggers worked on it,
    /// whatever the repair cost; `NOT_REPAIRED` when the accuracy fell too far, when any trigger still works, or when
    /// nothing was tried; `REPAIRED` only when a real trigger worked before and fails now; else
    /// `NO_EVIDENCE_LEFT`. What people wear is no reason to refuse a repair that real triggers speak for: where it works it
    /// may do so by nature.
    ///
    /// A trigger of the service's own works where it brings more images to a class than the limit allows, and most of those
    /// whose answer it changes.
    ///
    /// Each bound has the confidence asked for. All of them must hold at once, so none needs a correction for
    /// their number. A bound must be within its limit: with few images it is not, however good they look.
    pub fn judge(
        &self,
        clean: PairedAccuracy,
        on: JudgedOn,
        attacks: &[Attack],
        suspicion: Suspicion,
    ) -> GateVerdict {
        let mut reasons = vec![self.accuracy(clean, on)];
        reasons.extend(attacks.iter().map(|attack| self.attack(attack)));
        let is_repaired = reasons
            .iter()
            .any(|reason| matches!(reason, GateReason::TriggerFails { trigger: Trigger::Real, .. }));
        let fails = |reason: &GateReason| {
            !(is_repaired && matches!(reason, GateReason::TriggerWorks { trigger: Trigger::Worn, .. }))
                && matches!(
                    reason,
                    GateReason::AccuracyLost { .. }
                        | GateReason::NothingHeldOut { .. }
                        | GateReason::TriggerWorks { .. }
                )
        };
        let tried = |reason: &GateReason| {
            matches!(reason, GateReason::TriggerFails { .. } | GateReason::Disturbs { .. })
        };
        let is_clean = suspicion == Suspicion::None && !attacks.is_empty();
        let answer = if is_clean && !attacks.iter().any(|attack| self.worked(attack)) {
            reasons.push(GateReason::NothingFound);
            GateAnswer::NothingToRepair
        } else if reasons.iter().any(fails) {
            GateAnswer::NotRepaired
        } else if is_repaired {
            GateAnswer::Repaired
        } else if reasons.iter().any(tried) {
            reasons.push(GateReason::NoRealTrigger);
            GateAnswer::NoEvidenceLeft
        } else {
            reasons.push(GateReason::NothingTried);
            GateAnswer::NotRepaired
        };
        GateVerdict { answer, reasons }
    }

    fn accuracy(&self, clean: PairedAccuracy, on: JudgedOn) -> GateReason {
        let limit = self.limits.accuracy_drop.as_f64();
        if on == JudgedOn::NotHeldOut {
            return GateReason::NothingHeldOut { drop: clean.drop() };
        }
        let (drop, bound) = (clean.drop(), clean.drop_bound(self.limits.accuracy_doubt()));
        if bound <= limit {
            GateReason::AccuracyKept { on, drop, bound }
        } else {
            GateReason::AccuracyLost { on, drop, bound, limit }
        }
    }

    /// Whether a trigger is shown to have worked on the suspect.
    fn worked(&self, attack: &Attack) -> bool {
        let limit = self.limits.attack_success.as_f64();
        attack.leads(0, attack.before) && attack.before.lower_bound(self.limits.doubt) > limit
    }

    fn attack(&self, attack: &Attack) -> GateReason {
        let limit = self.limits.attack_success.as_f64();
        let (set, trigger) = (attack.name.clone(), attack.trigger);
        let (rate, bound) = (attack.after.rate(), attack.after.upper_bound(self.limits.doubt));
        if bound > limit {
            return match attack.changed {
                Some([_, changed]) if !attack.leads(1, attack.after) => {
                    let changed = changed as f64 / attack.after.total().max(1) as f64;
                    GateReason::Disturbs { set, rate, changed }
                }
                _ => GateReason::TriggerWorks { set, trigger, rate, bound, limit },
            };
        }
        // Clean images under the name of triggered ones would pass every repair.
        if trigger == Trigger::Real && !self.worked(attack) {
            return GateReason::NeverWorked { set, rate: attack.before.rate() };
        }
        GateReason::TriggerFails { set, trigger, rate, bound }
    }
}

impl GateAnswer {
    /// The published word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRepaired => "NOT_REPAIRED",
            Self::NothingToRepair => "NOTHING_TO_REPAIR",
            Self::NoEvidenceLeft => "NO_EVIDENCE_LEFT",
            Self::Repaired => "REPAIRED",
        }
    }

    /// Whether the repaired network may vote and be promoted.
    pub const fn lets_through(self) -> bool {
        matches!(self, Self::NoEvidenceLeft | Self::Repaired)
    }
}

impl fmt::Display for GateAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Points of 1 as per cent.
struct Percent(f64);

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.1} %", self.0 * 100.0)
    }
}

impl fmt::Display for JudgedOn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::AllClasses => "held-out clean images",
            Self::UnseenClasses => "clean images of classes the repair never saw",
            Self::NotHeldOut => "the images that ranked and trained",
        })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Synthetic => "synthetic",
            Self::Worn => "worn",
            Self::Real => "real",
        })
    }
}

impl fmt::Display for GateReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccuracyKept { on, drop, bound } => {
                write!(formatter, "accuracy on {on} fell by {}, {} at most", Percent(*drop), Percent(*bound))
            }
            Self::AccuracyLost { on, drop, bound, limit } => write!(
                formatter,
                "accuracy on {on} fell by {} and may have fallen by {}, the limit is {}",
                Percent(*drop),
                Percent(*bound),
                Percent(*limit)
            ),
            Self::NothingHeldOut { drop } => write!(
                formatter,
                "the images that judge also ranked and trained: that accuracy on them fell by {} proves nothing",
                Percent(*drop)
            ),
            Self::TriggerFails { set, trigger, rate, bound } => write!(
                formatter,
                "the {trigger} trigger {set:?} works on {} of images, {} at most",
                Percent(*rate),
                Percent(*bound)
            ),
            Self::TriggerWorks { set, trigger, rate, bound, limit } => write!(
                formatter,
                "the {trigger} trigger {set:?} works on {} of images and may work on {}, the limit is {}",
                Percent(*rate),
                Percent(*bound),
                Percent(*limit)
            ),
            Self::Disturbs { set, rate, changed } => write!(
                formatter,
                "{set:?} works on {} of images and changes the answers of {}: most go elsewhere",
                Percent(*rate),
                Percent(*changed)
            ),
            Self::NeverWorked { set, rate } => write!(
                formatter,
                "{set:?} reaches its target in {} of images of the suspect network: that it fails in the \
                 repaired one proves nothing",
                Percent(*rate)
            ),
            Self::NoRealTrigger => formatter
                .write_str("no triggered samples of the attacker's own were tried: give some to know more"),
            Self::GivenUp { why } => write!(formatter, "the repair was given up: {why}"),
            Self::NothingFound => formatter.write_str(
                "none of the triggers that were tried worked on the suspect, and no class stands out in its output \
                 layer: give images that gave alarms, or triggered ones, if you know better",
            ),
            Self::NothingTried => {
                formatter.write_str("no trigger was tried: nothing is known of the backdoor")
            }
        }
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
