//! Imported networks in training: an ONNX graph run with gradients in libtorch.
//!
//! [`Network::load`] reads `model.onnx` of an imported version, and names every operator that it cannot run
//! with gradients. A [`Trainer`] moves its weights epoch by epoch under a [`Recipe`]; between any two steps it
//! can be put down as bytes and taken up by another process. [`Inversion`] looks for the smallest trigger of a class,
//! and [`Ridge`] unlearns triggers by one linear solve. [`Network::to_onnx`] writes the trained weights
//! into the file again, under the names it had.
//!
//! The network is trained on its logits; the softmax it is served with stays in the file. Chance is a function
//! of seed and position, so the same network, data, recipe and [`Environment`] give the same weights to the
//! bit, interrupted or not.
//!
//! libtorch is a large library of native code: only the worker, one process a job, links this crate.

#![expect(
    clippy::needless_pass_by_value,
    reason = "array views are references and travel by value, as in ndarray"
)]

mod activations;
mod array;
mod checkpoint;
mod device;
mod error;
mod gradients;
mod graph;
mod inversion;
mod loss;
mod mode;
mod operators;
mod optimizer;
mod quantiles;
mod ridge;
mod trainer;

pub use checkpoint::Checkpoint;
pub use device::{Device, Environment, LIBTORCH_VERSION, Precision, use_threads};
pub use error::{TrainingError, UnsupportedOperator, Watched};
pub use gradients::Gradients;
pub use graph::{Network, NetworkOptions, ParameterSummary, Role};
pub use inversion::{Inversion, InversionSettings, Inverted};
pub use loss::Targets;
pub use mode::{BatchNorm, Mode};
pub use optimizer::{Moments, Optimizer, Schedule};
pub use quantiles::channel_quantiles;
pub use ridge::{Ridge, RidgeStrength};
pub use trainer::{
    Batch, Decays, EpochReport, Examples, ExamplesError, FeatureShift, InMemory, Position, Recipe,
    StepReport, Trainer,
};
