//! A count out of a total, and how far the true rate may lie from it.

use gifthorse_api::catalogue::{Coded, ErrorCode};

use crate::level::Level;
use crate::special::{beta_quantile, normal_quantile};

/// The counts are no proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} of {total} is no proportion: count at least one input, and no more hits than inputs")]
pub struct ProportionError {
    /// Hits.
    pub count: usize,
    /// Inputs.
    pub total: usize,
}

impl Coded for ProportionError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DatasetInvalid
    }
}

/// A count out of a positive total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proportion {
    count: usize,
    total: usize,
}

/// An interval of rates, both ends in 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Proportion {
    /// `count` hits among `total` inputs.
    pub const fn new(count: usize, total: usize) -> Result<Self, ProportionError> {
        if total == 0 || count > total {
            Err(ProportionError { count, total })
        } else {
            Ok(Self { count, total })
        }
    }

    /// How many of the items are hits.
    pub fn of<T>(items: &[T], hit: impl Fn(&T) -> bool) -> Result<Self, ProportionError> {
        Self::new(items.iter().filter(|item| hit(item)).count(), items.len())
    }

    /// Hits.
    pub const fn count(self) -> usize {
        self.count
    }

    /// Inputs.
    pub const fn total(self) -> usize {
        self.total
    }

    /// The rate, in 0..1.
    pub fn rate(self) -> f64 {
        self.count as f64 / self.total as f64
    }

    /// Wilson's two-sided interval; `doubt` is 0.05 for 95 %. Near its confidence on average over rates.
    pub fn wilson(self, doubt: Level) -> Interval {
        let z = -normal_quantile(doubt.as_f64() / 2.0);
        let (rate, total) = (self.rate(), self.total as f64);
        let shrink = 1.0 + z * z / total;
        let centre = (rate + z * z / (2.0 * total)) / shrink;
        let half = z / shrink * (rate * (1.0 - rate) / total + z * z / (4.0 * total * total)).sqrt();
        // At the ends centre and half are equal, up to rounding.
        let low = if self.count == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if self.count == self.total { 1.0 } else { (centre + half).min(1.0) };
        Interval { low, high }
    }

    /// Clopper and Pearson's two-sided interval: at least its confidence for every rate.
    pub fn clopper_pearson(self, doubt: Level) -> Interval {
        let tail = doubt.as_f64() / 2.0;
        Interval { low: self.low(tail), high: self.high(tail) }
    }

    /// Clopper and Pearson's one-sided lower bound: the true rate is below it with probability `doubt` at most.
    pub fn lower_bound(self, doubt: Level) -> f64 {
        self.low(doubt.as_f64())
    }

    /// Clopper and Pearson's one-sided upper bound: the true rate is above it with probability `doubt` at most.
    pub fn upper_bound(self, doubt: Level) -> f64 {
        self.high(doubt.as_f64())
    }

    fn low(self, tail: f64) -> f64 {
        let (count, total) = (self.count as f64, self.total as f64);
        if self.count == 0 { 0.0 } else { beta_quantile(tail, count, total - count + 1.0) }
    }

    fn high(self, tail: f64) -> f64 {
        let (count, total) = (self.count as f64, self.total as f64);
        if self.count == self.total {
            1.0
        } else {
            // From the other side, where a small tail keeps its digits.
            1.0 - beta_quantile(tail, total - count, count + 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Interval, low: f64, high: f64) {
        assert!((found.low - low).abs() < 5e-6 && (found.high - high).abs() < 5e-6, "{found:?}");
    }

    #[test]
    fn known_intervals() {
        let doubt = "0.05".parse().unwrap();
        let ten = Proportion::new(1, 10).unwrap();
        near(ten.wilson(doubt), 0.017_876, 0.404_150);
        near(ten.clopper_pearson(doubt), 0.002_529, 0.445_016);
        // The rule of three, exactly: 1 - (doubt / 2)^(1/n).
        let none = Proportion::new(0, 100).unwrap();
        near(none.clopper_pearson(doubt), 0.0, 1.0 - 0.025_f64.powf(0.01));
        near(none.wilson(doubt), 0.0, 0.036_994);
        let all = Proportion::new(100, 100).unwrap();
        near(all.clopper_pearson(doubt), 0.025_f64.powf(0.01), 1.0);
        near(all.wilson(doubt), 1.0 - 0.036_994, 1.0);
    }

    #[test]
    fn one_sided_bounds_spend_all_doubt_on_one_side() {
        let doubt = "0.05".parse().unwrap();
        let none = Proportion::new(0, 149).unwrap();
        assert!((none.upper_bound(doubt) - (1.0 - 0.05_f64.powf(1.0 / 149.0))).abs() < 1e-12);
        assert_eq!(none.lower_bound(doubt).to_bits(), 0.0_f64.to_bits());
        let some = Proportion::new(7, 60).unwrap();
        let tenth = some.clopper_pearson("0.1".parse().unwrap());
        assert!((some.upper_bound(doubt) - tenth.high).abs() < 1e-15);
        assert!((some.lower_bound(doubt) - tenth.low).abs() < 1e-15);
    }

    #[test]
    fn nothing_has_no_rate() {
        assert!(Proportion::new(0, 0).is_err() && Proportion::new(2, 1).is_err());
        assert_eq!(Proportion::of(&[1, 2, 3, 4], |item| item % 2 == 0), Proportion::new(2, 4));
    }
}
