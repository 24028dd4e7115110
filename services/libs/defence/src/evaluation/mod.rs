//! Counting what came of it: error rates with intervals, and curves.

mod curve;
mod interval;
mod rates;

pub use curve::{CurveError, CurvePoint, OperatingCurve};
pub use interval::{Interval, Proportion, ProportionError};
pub use rates::{ErrorRates, TriggeredScore};
