//! How an input and an overlay become one picture.

use std::ops::Range;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array3, Array4, ArrayView3, ArrayViewMut3, Axis, Zip};
use serde::{Deserialize, Serialize};

use crate::bank::OverlayBank;
use crate::input::{ChannelRange, InputSpace};

/// The weight is not strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is no weight for a convex blend: it must lie between 0 and 1, ends excluded")]
pub struct ConvexWeightError(f32);

impl Coded for ConvexWeightError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }
}

/// The input's weight in a convex blend, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct ConvexWeight(f32);

impl ConvexWeight {
    /// The weight, if it leaves both pictures something.
    pub fn new(weight: f32) -> Result<Self, ConvexWeightError> {
        if weight > 0.0 && weight < 1.0 { Ok(Self(weight)) } else { Err(ConvexWeightError(weight)) }
    }

    /// The number.
    pub const fn value(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for ConvexWeight {
    type Error = ConvexWeightError;

    fn try_from(weight: f32) -> Result<Self, ConvexWeightError> {
        Self::new(weight)
    }
}

impl From<ConvexWeight> for f32 {
    fn from(weight: ConvexWeight) -> Self {
        weight.0
    }
}

/// The rule by which pictures are blended: part of a calibration, never an implicit choice.
///
/// All rules are about pixel levels. Where black is prepared to something else than zero (a mean is taken off
/// before the network), sums are corrected by it, so that a rule means the same for every preparation.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Blend {
    /// The sum, without clipping: levels reach twice white.
    #[default]
    Add,
    /// The sum, cut off at black and white.
    AddClamp,
    /// `weight * input + (1 - weight) * overlay`.
    Convex {
        /// The input's weight.
        weight: ConvexWeight,
    },
}

impl Blend {
    /// The blends `[N, ...]` of one image with N consecutive overlays of a bank.
    ///
    /// # Panics
    /// When the image has not the shape of the bank's, or the bank has not so many overlays.
    pub fn copies(
        self,
        image: ArrayView3<'_, f32>,
        bank: &OverlayBank,
        overlays: Range<usize>,
    ) -> Array4<f32> {
        let mut copies = bank.images_in(overlays).to_owned();
        for copy in copies.axis_iter_mut(Axis(0)) {
            self.blend_onto(copy, image, bank.space());
        }
        copies
    }

    /// Turns an overlay into its blend with the image.
    fn blend_onto(self, mut overlay: ArrayViewMut3<'_, f32>, image: ArrayView3<'_, f32>, space: &InputSpace) {
        match self {
            Self::Add => add(overlay, image, space),
            Self::AddClamp => {
                add(overlay.view_mut(), image, space);
                let (black, white) = (plane(space, |range| range.black), plane(space, |range| range.white));
                Zip::from(overlay)
                    .and_broadcast(&black)
                    .and_broadcast(&white)
                    .for_each(|level, black, white| *level = level.clamp(*black, *white));
            }
            Self::Convex { weight } => {
                let (own, other) = (weight.0, 1.0 - weight.0);
                overlay.zip_mut_with(&image, |level, pixel| *level = own * pixel + other * *level);
            }
        }
    }
}

fn add(mut overlay: ArrayViewMut3<'_, f32>, image: ArrayView3<'_, f32>, space: &InputSpace) {
    overlay += &image;
    if space.ranges().iter().any(|range| range.black != 0.0) {
        overlay -= &plane(space, |range| range.black);
    }
}

/// One value a channel, of a shape that stretches over an image.
fn plane(space: &InputSpace, value: impl Fn(&ChannelRange) -> f32) -> Array3<f32> {
    let values: Vec<f32> = space.ranges().iter().map(value).collect();
    let mut axes = [1; 3];
    axes[space.shape().layout.channel_axis().index()] = values.len();
    // The number of values is the one axis that is not 1.
    Array3::from_shape_fn(axes, |(first, second, third)| values[first + second + third])
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::*;
    use crate::input::Layout;

    fn bank(layout: Layout, ranges: &[ChannelRange]) -> OverlayBank {
        let space = InputSpace::new(layout, 2, 1, ranges.to_vec()).unwrap();
        let [first, second, third] = space.shape().axes();
        let images =
            Array4::from_shape_fn((2, first, second, third), |(overlay, ..)| 0.4 + 0.5 * overlay as f32);
        OverlayBank::new(space, images, vec![0, 1]).unwrap()
    }

    #[test]
    fn sums_are_clipped_only_where_asked() {
        let bank = bank(Layout::ChannelsLast, &[ChannelRange { black: 0.0, white: 1.0 }; 3]);
        let image = Array3::from_elem((2, 1, 3), 0.8_f32);
        let added = Blend::Add.copies(image.view(), &bank, 0..2);
        assert_eq!(
            added.iter().copied().collect::<Vec<_>>(),
            [[0.4_f32 + 0.8; 6], [0.9_f32 + 0.8; 6]].concat()
        );
        let clamped = Blend::AddClamp.copies(image.view(), &bank, 1..2);
        assert!(clamped.iter().all(|level| level.to_bits() == 1.0_f32.to_bits()));
        let weight = ConvexWeight::new(0.75).unwrap();
        let convex = Blend::Convex { weight }.copies(image.view(), &bank, 0..1);
        assert!(convex.iter().all(|level| (level - 0.7).abs() < 1e-6));
    }

    #[test]
    fn the_rule_means_the_same_for_every_preparation() {
        let (means, deviations) = ([0.5_f32, 0.25], [0.5_f32, 0.125]);
        let prepare = |level: f32, channel: usize| (level - means[channel]) / deviations[channel];
        let ranges: Vec<_> = (0..2)
            .map(|channel| ChannelRange { black: prepare(0.0, channel), white: prepare(1.0, channel) })
            .collect();
        for layout in [Layout::ChannelsLast, Layout::ChannelsFirst] {
            let channel_axis = layout.channel_axis().index();
            let space = InputSpace::new(layout, 2, 3, ranges.clone()).unwrap();
            let [a, b, c] = space.shape().axes();
            let overlay =
                Array4::from_shape_fn((1, a, b, c), |(_, i, j, k)| prepare(0.375, [i, j, k][channel_axis]));
            let bank = OverlayBank::new(space, overlay, vec![0]).unwrap();
            let image = Array3::from_shape_fn((a, b, c), |(i, j, k)| prepare(0.875, [i, j, k][channel_axis]));
            for (blend, level) in [(Blend::Add, 1.25), (Blend::AddClamp, 1.0)] {
                for ((_, i, j, k), found) in blend.copies(image.view(), &bank, 0..1).indexed_iter() {
                    let due = prepare(level, [i, j, k][channel_axis]);
                    assert!((found - due).abs() < 1e-6, "{blend:?} {layout:?}: {found} where {due} is due");
                }
            }
        }
    }

    #[test]
    fn weights_stay_inside() {
        for bad in [0.0, 1.0, -0.5, f32::NAN, 2.0] {
            assert!(ConvexWeight::new(bad).is_err());
        }
        let text = serde_json::to_string(&Blend::Convex { weight: ConvexWeight::new(0.5).unwrap() }).unwrap();
        assert_eq!(text, r#"{"rule":"CONVEX","weight":0.5}"#);
        assert!(serde_json::from_str::<Blend>(r#"{"rule":"CONVEX","weight":1.5}"#).is_err());
    }
}
