//! Attacks on image classifiers, as the literature describes them: triggers, and training sets poisoned with them.
//!
//! [`Trigger`] says what is put on a picture, [`Attack`] which pictures of a training set get it and as what they are to be
//! learned, [`poison`] draws them by lot. Pictures are levels 0..255, `[H, W, C]` with one or three channels. Everything is
//! a function of the seeds that are part of the descriptions.

mod attack;
mod chance;
mod poison;
mod preset;
mod size;
mod trigger;

pub use attack::{Attack, AttackError, Part, Target};
pub use poison::{Plan, Poisoned, TriggeredRow, poison, spared, triggered};
pub use size::Size;
pub use trigger::{Look, Pattern, Place, Stamp, Trigger, TriggerError};
