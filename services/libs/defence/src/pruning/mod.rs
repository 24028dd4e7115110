//! Fine-pruning (Liu, Dolan-Gavitt and Garg, RAID 2018), as far as it is mathematics.
//!
//! A backdoor lives, so the method hopes, in channels that clean images leave asleep:
//!
//! 1. [`CleanSplit`] divides the clean images: those that rank and those that judge have nothing in common;
//! 2. [`ChannelMeans`] reads the mean activation of each channel off one pass over the first part;
//! 3. [`Ranking`] orders the channels, the sleepiest first, and they are set to zero one after another;
//! 4. [`StopRule`] says how many of them go, from the clean accuracy of the second part alone;
//! 5. the [`Gate`] decides whether the repaired network may vote, with confidence bounds and with reasons.
//!
//! Nothing here looks at triggered images before the gate does: they report, they never choose.

mod activation;
mod coverage;
mod gate;
mod paired;
mod ranking;
mod split;
mod stop;

pub use activation::{ActivationError, ChannelMeans, MeanActivations};
pub use coverage::{ClassCoverage, CoverageError};
pub use gate::{Attack, Gate, GateAnswer, GateLimits, GateReason, GateVerdict, JudgedOn, Suspicion, Trigger};
pub use paired::{PairedAccuracy, PairedError};
pub use ranking::{Ranking, RankingError};
pub use split::{CleanSplit, SplitError, SplitRequest};
pub use stop::{Choice, Curve, StopError, StopReason, StopRule};
