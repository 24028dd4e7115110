//! Evaluations: detectors and the guarded answer, measured on labelled clean and triggered images.

mod evaluator;
mod illustrate;
mod measured;
mod request;
mod summary;

pub(crate) use evaluator::Evaluator;
pub(crate) use request::EvaluationRequest;
