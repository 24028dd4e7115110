//! Fewer passes for the same promise, for scores that are means of terms that are never negative.
//!
//! Sums then only grow: once a sum is large enough for every bound still ahead, the verdict is known. Exact
//! curtailment stops there; early rejection also looks for trojans on the way and pays for each look with a
//! part of the level.

mod early_rejection;
mod looks;
mod stop;

pub use early_rejection::{Boundary, EarlyRejection, EarlyRejectionError, PValueBound, Spending};
pub use looks::{Looks, LooksError};
pub use stop::{Running, ScoreSoFar, StopReason, StopRule, Stopped};
