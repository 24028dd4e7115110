//! Graph surgery: the parts of a network that the defences run, as ONNX files of their own.
//!
//! Works on `model.onnx` of an imported version and its [`NetworkDescription`](crate::NetworkDescription).
//! Nothing here runs a network. Every file that comes back is self-contained, holds only the weights it
//! needs, and keeps the batch axis as free as it was.

mod activations;
mod anatomy;
mod blocks;
mod clip;
mod crossing;
mod cut;
mod error;
mod extract;
mod first_convolution;
#[cfg(test)]
mod fixture;
mod guarded;
mod insert;
mod linear;
mod names;
mod orientation;
mod output_layer;
mod pooling;
mod prune;
#[cfg(test)]
mod prune_tests;
mod site;
mod split;
#[cfg(test)]
mod tests;

pub use activations::{Activation, activations};
pub use blocks::in_blocks;
pub use clip::{ChannelLimits, clip_channels};
pub use crossing::{CrossingTensor, SiteSplit, split_at_site};
pub use cut::{Cut, cut_at, default_cut};
pub use error::SurgeryError;
pub use first_convolution::{FirstConvolution, Pooled, first_convolution};
pub use guarded::{Guard, GuardBlend, guarded};
pub use linear::{LinearLayer, LinearSum, first_linear};
pub use output_layer::{OutputLayer, output_layer};
pub use prune::{PrunedAt, PrunedNetwork, prune_channels};
pub use site::{PruningSite, pruning_site};
pub use split::{Split, expose_logits, split};
