//! From numbers to colours.

use crate::picture::Picture;

/// Colours of rising brightness that the colour-blind and a grey printer can order: viridis, coarsely.
const COLOURS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// Which colour a number has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HeatScale {
    low: f64,
    high: f64,
}

impl HeatScale {
    /// The scale from the least of these numbers, or 0 if that is less, to the greatest.
    ///
    /// Numbers that are never negative get colours by their square roots: few channels are much more active than
    /// all others, and the others would all look black.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a f32>) -> Self {
        let (low, high) = values.fold((0.0_f64, f64::MIN), |(low, high), value| {
            (low.min(f64::from(*value)), high.max(f64::from(*value)))
        });
        if high > low { Self { low, high } } else { Self { low, high: low + 1.0 } }
    }

    /// Whether colours go by square roots.
    pub(crate) fn is_root(self) -> bool {
        self.low >= 0.0
    }

    /// The number whose colour is this far along the scale, 0..1.
    pub(crate) fn value(self, share: f64) -> f64 {
        let share = if self.is_root() { share * share } else { share };
        self.low + (self.high - self.low) * share
    }

    /// The colour of a number.
    pub(crate) fn colour(self, value: f64) -> [u8; 3] {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        let place = if self.is_root() { share.sqrt() } else { share } * (COLOURS.len() - 1) as f64;
        let below = (place as usize).min(COLOURS.len() - 2);
        let rest = place - below as f64;
        let mix = |channel: usize| {
            let (one, other) = (f64::from(COLOURS[below][channel]), f64::from(COLOURS[below + 1][channel]));
            (one + (other - one) * rest).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }

    /// All colours in one row, from low to high.
    pub(crate) fn bar(self) -> Picture {
        Picture::of_colours(256, 1, |x, _| self.colour(self.value(f64::from(x) / 255.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_numbers() {
        let scale = HeatScale::of([0.5_f32, 4.0, 0.0].iter());
        assert!(scale.is_root());
        assert_eq!((scale.colour(0.0), scale.colour(4.0)), (COLOURS[0], COLOURS[8]));
        assert_eq!(scale.colour(1.0), COLOURS[4]);
        assert!((scale.value(0.5) - 1.0).abs() < 1e-12);
        let signed = HeatScale::of([-1.0_f32, 1.0].iter());
        assert_eq!(signed.colour(0.0), COLOURS[4]);
        assert_eq!(signed.colour(-9.0), COLOURS[0]);
    }

    #[test]
    fn a_scale_of_nothing_is_a_scale() {
        for values in [vec![], vec![0.0_f32; 3], vec![-2.0]] {
            let scale = HeatScale::of(values.iter());
            assert!(scale.value(1.0) > scale.value(0.0));
            assert_eq!(scale.bar().size(), (256, 1));
        }
    }
}
