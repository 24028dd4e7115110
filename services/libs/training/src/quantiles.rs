//! How far the channels of an activation go.

use ndarray::{ArrayView4, Axis};

/// The quantile of each channel of activations `[N, C, H, W]` over images and places: the smallest value that
/// at least this share of them do not exceed. Zero for a channel without values.
pub fn channel_quantiles(activations: ArrayView4<'_, f32>, share: f64) -> Vec<f32> {
    let quantile = |channel: ndarray::ArrayView3<'_, f32>| {
        let mut values: Vec<f32> = channel.iter().copied().collect();
        let rank = (share.clamp(0.0, 1.0) * values.len() as f64).ceil() as usize;
        let place = rank.saturating_sub(1).min(values.len().saturating_sub(1));
        if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(place, f32::total_cmp).1 }
    };
    activations.axis_iter(Axis(1)).map(quantile).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::channel_quantiles;

    #[test]
    fn quantiles_are_those_of_each_channel() {
        let activations = Array4::from_shape_fn((5, 2, 2, 1), |(image, channel, row, _)| {
            (image * 2 + row) as f32 * if channel == 0 { 1.0 } else { -1.0 }
        });
        assert_eq!(channel_quantiles(activations.view(), 0.9), [8.0, -1.0]);
        assert_eq!(channel_quantiles(activations.view(), 1.0), [9.0, 0.0]);
        assert_eq!(channel_quantiles(activations.view(), 0.0), [0.0, -9.0]);
    }
}
