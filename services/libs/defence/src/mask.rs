//! Copies of one activation under masks of its channels.

use ndarray::{Array2, Array4, ArrayView3, Axis};

use crate::input::PlaneShape;

/// Copies `[masks, ...]` of an activation whose channels are weighted by the rows of `masks` `[masks, channels]`.
pub(crate) fn thinned(
    activation: ArrayView3<'_, f32>,
    plane: PlaneShape,
    masks: &Array2<f32>,
) -> Array4<f32> {
    let [first, second, third] = plane.axes();
    let mut thinned = Array4::zeros((masks.nrows(), first, second, third));
    for (mask, mut copy) in masks.rows().into_iter().zip(thinned.axis_iter_mut(Axis(0))) {
        copy.assign(&activation);
        for (mut channel, weight) in copy.axis_iter_mut(plane.layout.channel_axis()).zip(mask) {
            channel *= *weight;
        }
    }
    thinned
}
