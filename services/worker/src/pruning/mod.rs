//! Fine-pruning up to the choice of channels: activations in one pass, then the whole curve of what pruning
//! more and more channels does.
//!
//! 1. [`CutNetwork`] runs a network in two halves, cut at the activation whose channels are pruned;
//! 2. [`rank`] streams clean images through the first half and orders the channels, [`collect`] keeps what
//!    the first half makes of them in an [`ActivationCache`], in memory and beyond a limit on disk;
//! 3. [`Sweep`] zeroes one channel after another in what was kept and runs the second half alone.
//!
//! The answers are those of full passes through the network with the same channels masked. Memory does not
//! grow with the images but for some bytes of labels and answers each. All of it blocks: run it on a thread
//! of its own, with an [`Observer`] to hear how far it is and to end it between batches.

mod cache;
mod carried;
mod collect;
mod error;
mod images;
mod network;
mod observer;
mod point;
mod spill;
mod sweep;
mod whole;

pub use cache::{ActivationCache, CacheOptions};
pub use carried::Carried;
pub use collect::{add as average, collect, collect_and_rank, rank};
pub use error::SweepError;
pub use images::{ImageSource, StoredImages};
pub use network::{CutNetwork, RunOptions};
pub use observer::{Observer, Progress, Stage, Unobserved};
pub use point::{SweepPoint, TriggeredCounts};
pub use sweep::{CleanSet, Sweep, TriggeredSet};
pub use whole::WholeNetwork;
