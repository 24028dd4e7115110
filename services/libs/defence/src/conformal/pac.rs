//! The rank that keeps a level not on average but with confidence.
//!
//! With the k-th smallest of m scores as threshold, the false rejection rate over all clean inputs follows
//! Beta(k, m + 1 - k) for scores without ties, and lies lower with ties.

use crate::level::Level;
use crate::special::beta_cdf;

/// The largest k with `P(Beta(k, m + 1 - k) > level) <= doubt`; 0 when there is none.
pub fn pac_rank(calibration: usize, level: Level, doubt: Level) -> usize {
    // The probability grows with k, so that the good ranks are 1, 2, ... up to some k.
    let (mut good, mut bad) = (0, calibration + 1);
    while bad - good > 1 {
        let middle = usize::midpoint(good, bad);
        if exceeds(calibration, middle, level) <= doubt.as_f64() {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

/// The smallest m whose [`pac_rank`] is at least 1: `(1 - level)^m <= doubt`.
pub fn smallest_pac_calibration(level: Level, doubt: Level) -> usize {
    let estimate = (doubt.as_f64().ln() / (-level.as_f64()).ln_1p()).ceil().max(1.0) as usize;
    // Rounding can put the estimate one beside the truth.
    let near = estimate.saturating_sub(2).max(1)..=estimate + 2;
    near.into_iter().find(|count| pac_rank(*count, level, doubt) > 0).unwrap_or(estimate)
}

/// The chance that the false rejection rate exceeds the level.
fn exceeds(calibration: usize, rank: usize, level: Level) -> f64 {
    // P(Beta(a, b) > x) = P(Beta(b, a) < 1 - x).
    beta_cdf(1.0 - level.as_f64(), (calibration + 1 - rank) as f64, rank as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_at_five_per_cent_doubt() {
        let doubt = "0.05".parse().unwrap();
        for (calibration, level, rank) in [
            (298, "0.01", 0),
            (299, "0.01", 1),
            (1000, "0.01", 5),
            (2000, "0.01", 13),
            (5000, "0.01", 39),
            (597, "0.005", 0),
            (598, "0.005", 1),
            (2994, "0.001", 0),
            (2995, "0.001", 1),
        ] {
            assert_eq!(
                pac_rank(calibration, level.parse().unwrap(), doubt),
                rank,
                "{calibration} at {level}"
            );
        }
        for (level, smallest) in [("0.01", 299), ("0.005", 598), ("0.001", 2995), ("0.99", 1)] {
            assert_eq!(smallest_pac_calibration(level.parse().unwrap(), doubt), smallest);
        }
    }
}
