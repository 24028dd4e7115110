//! The mathematics of the defences, and nothing else.
//!
//! The crate knows arrays and the [`Classifier`] it defines; files, tensors on the wire, sessions and threads
//! are the business of those who call it. The same bytes give the same scores, on every machine whose
//! classifier does, whatever the size of batches and the order of inputs.
//!
//! Every score is oriented so that **low = trojaned**. The way of a verdict:
//!
//! 1. a [`Detector`] reads a score off an input in a bounded number of forward passes: [`strip`], [`paste`],
//!    [`dropout`], alone or summed by a [`fusion`]; [`shift`] and [`noise`] look inside, too, and [`pair`] asks a
//!    second network;
//! 2. clean inputs that nothing else was made from give [`conformal`] calibration scores;
//! 3. a threshold is derived for an exact [`level`], or refused; [`sequential`] rules reach the same kind of
//!    promise in fewer passes, and a [`budget`] divides one level among several detectors;
//! 4. [`evaluation`] counts what came of it. The [`audit`] looks at weights alone.
//!
//! [`pruning`] is the other road: not to watch a network but to repair it, and to say whether that worked.

#![expect(
    clippy::needless_pass_by_value,
    reason = "array views are references and travel by value, as in ndarray"
)]

pub mod audit;
pub mod bank;
pub mod blend;
pub mod budget;
pub mod classifier;
pub mod conformal;
pub mod detector;
pub mod digest;
pub mod draw;
pub mod dropout;
pub mod evaluation;
mod forward;
pub mod fusion;
pub mod input;
pub mod level;
pub mod logits;
mod mask;
pub mod noise;
pub mod pair;
pub mod paste;
pub mod pruning;
pub mod region;
pub mod sequential;
pub mod shift;
mod special;
pub mod strip;

pub use classifier::{Classifier, SplitClassifier};
pub use detector::{DetectionError, Detector, Reading, Subject};
pub use level::Level;
