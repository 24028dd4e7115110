//! Calibrations: the scores of clean data, kept for ever, from which thresholds are derived.

mod asked;
mod augment;
mod library;
mod loaded;
mod make;
mod message;
mod partition;
mod record;
mod request;
mod specification;

pub(crate) use library::Library;
pub(crate) use loaded::{Loaded, Part};
pub(crate) use make::Maker;
pub(crate) use message::{calibration as calibration_message, timestamp};
pub(crate) use record::Calibrations;
pub(crate) use request::CalibrationRequest;
pub(crate) use specification::{
    Built, DISAGREEMENT, DetectorSpecification as Specification, FUSED, STRIP_ENTROPY, default_weight,
};
