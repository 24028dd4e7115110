//! The few special functions that guarantees and intervals need.

mod beta;
mod normal;

pub(crate) use beta::{beta_cdf, beta_quantile};
pub(crate) use normal::normal_quantile;
