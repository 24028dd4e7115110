//! What is computed from scores for the figures and tables: counts in bins, intervals, operating points.

use gifthorse_defence::evaluation::{OperatingCurve, Proportion};
use gifthorse_defence::level::Level;

use crate::record::Estimate;

/// The confidence of every interval that the report computes itself.
pub(crate) const CONFIDENCE: f64 = 0.95;
/// The standard normal quantile of (1 + [`CONFIDENCE`]) / 2.
const Z: f64 = 1.959_963_984_540_054;
/// Bins of a histogram at most.
const MOST_BINS: usize = 40;
/// Points of a drawn curve at most; more would not be seen.
const MOST_POINTS: usize = 2_000;

/// Bins of one width that several sets of numbers are counted in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bins {
    /// Where the first bin starts.
    pub(crate) start: f64,
    /// The width of each.
    pub(crate) width: f64,
    /// How many.
    pub(crate) count: usize,
}

impl Bins {
    /// Bins for real numbers: about the square root of their count, from the least to the greatest.
    pub(crate) fn real(values: &[f64]) -> Self {
        let (low, high) = range(values);
        let count = (values.len() as f64).sqrt().ceil().clamp(10.0, MOST_BINS as f64) as usize;
        if low >= high {
            let width = (low.abs() * 0.01).max(1e-6);
            return Self { start: low - width * count as f64 / 2.0, width, count };
        }
        // A little wider than needed, so that the greatest number falls into the last bin.
        let width = (high - low) * (1.0 + 1e-9) / count as f64;
        Self { start: low, width, count }
    }

    /// Bins for whole numbers, each holding as many of them as the others, centred on them.
    pub(crate) fn whole(values: &[f64]) -> Self {
        let (low, high) = range(values);
        let width = ((high - low + 1.0) / MOST_BINS as f64).ceil().max(1.0);
        let count = (((high - low + 1.0) / width).ceil() as usize).max(5);
        Self { start: low - 0.5, width, count }
    }

    /// Where the last bin ends.
    pub(crate) fn end(self) -> f64 {
        self.start + self.width * self.count as f64
    }

    /// Where a bin starts and ends.
    pub(crate) fn edges(self, bin: usize) -> (f64, f64) {
        let start = self.start + self.width * bin as f64;
        (start, start + self.width)
    }

    /// How many of the numbers are in each bin; those outside are in the outermost ones.
    pub(crate) fn count_of(self, values: &[f64]) -> Vec<usize> {
        let mut counts = vec![0; self.count];
        for value in values {
            let bin = ((value - self.start) / self.width).max(0.0) as usize;
            counts[bin.min(self.count - 1)] += 1;
        }
        counts
    }
}

/// The least and the greatest number, 0 and 1 when there is none.
fn range(values: &[f64]) -> (f64, f64) {
    let low = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let high = values.iter().copied().reduce(f64::max).unwrap_or(1.0);
    (low, high)
}

/// The share of hits with Wilson's interval; none without items.
pub(crate) fn share(hits: usize, total: usize) -> Option<Estimate> {
    let proportion = Proportion::new(hits, total).ok()?;
    let interval = proportion.wilson(Level::new(1, 20).ok()?);
    Some(Estimate {
        estimate: proportion.rate(),
        lower: interval.low,
        upper: interval.high,
        confidence: CONFIDENCE,
        observations: total as u64,
    })
}

/// The mean of counts with its normal interval, which is none for a single one.
pub(crate) fn mean(values: &[u32]) -> Option<(f64, Option<f64>)> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    let half = (values.len() > 1).then(|| Z * (squares / (count - 1.0) / count).sqrt());
    Some((mean, half))
}

/// The interval of an area under a ROC curve: the standard error of Hanley and `McNeil`, taken at the end of the
/// interval as Newcombe does (his method 5), so that it does not vanish at an area of 1.
pub(crate) fn area(area: f64, clean: usize, triggered: usize) -> Option<Estimate> {
    if clean == 0 || triggered == 0 || !(0.0..=1.0).contains(&area) {
        return None;
    }
    let (m, n) = (clean as f64, triggered as f64);
    let pairs = f64::midpoint(m, n) - 1.0;
    let error = |a: f64| {
        let spread = 1.0 + pairs * (1.0 - a) / (2.0 - a) + pairs * a / (1.0 + a);
        (a * (1.0 - a) * spread.max(0.0) / (m * n)).sqrt()
    };
    // The end is where the distance is what the error there explains; the error falls to 0 at both bounds.
    let end = |bound: f64| {
        let (mut inside, mut outside) = (area, bound);
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if (middle - area).abs() <= Z * error(middle) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    };
    Some(Estimate {
        estimate: area,
        lower: end(0.0),
        upper: end(1.0),
        confidence: CONFIDENCE,
        observations: (clean + triggered) as u64,
    })
}

/// One point of an operating curve, as rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OperatingPoint {
    /// The threshold; none beyond the greatest score, where everything is rejected.
    pub(crate) threshold: Option<f64>,
    /// Clean images rejected.
    pub(crate) false_rejection: f64,
    /// Triggered images accepted.
    pub(crate) false_acceptance: f64,
}

/// All operating points of these scores, from rejecting nothing to rejecting everything; empty without
/// scores on both sides.
pub(crate) fn operating_points(clean: &[f64], triggered: &[f64]) -> Vec<OperatingPoint> {
    let Ok(curve) = OperatingCurve::of(clean, triggered) else { return Vec::new() };
    let (clean, triggered) = (curve.clean() as f64, curve.triggered() as f64);
    let points = curve.points().iter().map(|point| OperatingPoint {
        threshold: Some(point.threshold.value()).filter(|value| value.is_finite()),
        false_rejection: point.clean_rejected as f64 / clean,
        false_acceptance: 1.0 - point.triggered_rejected as f64 / triggered,
    });
    points.collect()
}

/// At most [`MOST_POINTS`] of the points, the first and the last among them.
pub(crate) fn thinned<T: Copy>(points: &[T]) -> Vec<T> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    (0..MOST_POINTS).map(|index| points[index * (points.len() - 1) / (MOST_POINTS - 1)]).collect()
}

/// The line without the points that lie within an upright or level part of it.
pub(crate) fn corners(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let same = |one: f64, other: f64| one.total_cmp(&other).is_eq();
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in line {
        if let [.., before, last] = kept[..] {
            let upright = same(before.0, last.0) && same(last.0, point.0);
            let level = same(before.1, last.1) && same(last.1, point.1);
            if upright || level {
                kept.pop();
            }
        }
        kept.push(*point);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_a_bin() {
        for values in [vec![0.0, 0.1, 1.0], vec![3.0; 50], vec![-1e9, 1e9], vec![], vec![0.0]] {
            for bins in [Bins::real(&values), Bins::whole(&values)] {
                assert!(bins.width > 0.0 && bins.count <= MOST_BINS, "{bins:?}");
                assert!(bins.start < bins.end());
                assert_eq!(bins.count_of(&values).iter().sum::<usize>(), values.len());
            }
        }
        let bins = Bins::whole(&[10.0, 12.0]);
        assert_eq!(bins.count_of(&[10.0, 12.0, 12.0]), [1, 0, 2, 0, 0]);
    }

    #[test]
    fn areas_have_sober_intervals() {
        let whole = area(1.0, 20, 20).unwrap();
        assert!(whole.lower < 0.95 && whole.lower > 0.7, "{whole:?}");
        assert!((whole.upper - 1.0).abs() < 1e-12);
        let half = area(0.5, 1_000, 1_000).unwrap();
        assert!((half.lower - 0.475).abs() < 0.003 && (half.upper - 0.525).abs() < 0.003, "{half:?}");
        assert_eq!(area(0.5, 0, 3), None);
        assert!(area(0.0, 1, 1).unwrap().upper <= 1.0);
    }

    #[test]
    fn means_and_shares_know_their_uncertainty() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[4]), Some((4.0, None)));
        assert_eq!(mean(&[2, 2]), Some((2.0, Some(0.0))));
        assert_eq!(share(0, 0), None);
        assert!(share(0, 10).unwrap().upper > 0.2);
    }

    #[test]
    fn only_corners_are_kept() {
        let line = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 1.0), (2.0, 1.0), (2.0, 3.0), (3.0, 4.0)];
        assert_eq!(corners(&line), [(0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (3.0, 4.0)]);
        assert_eq!(corners(&[]), []);
    }

    #[test]
    fn thinning_keeps_the_ends() {
        let points: Vec<usize> = (0..10_001).collect();
        let thin = thinned(&points);
        assert_eq!((thin.len(), thin[0], thin[MOST_POINTS - 1]), (MOST_POINTS, 0, 10_000));
        assert_eq!(thinned(&[1, 2]), [1, 2]);
    }
}
