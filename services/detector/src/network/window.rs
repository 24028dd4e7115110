//! Poolings whose windows lie side by side.

use ndarray::Array4;

/// Rows and columns of a window, at least one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Window {
    /// Rows and columns of a pooled plane; those of the plane that fill no window are left out.
    pub(super) const fn pooled(self, [height, width]: [usize; 2]) -> [usize; 2] {
        [height / self.rows, width / self.columns]
    }

    /// Places in a window.
    pub(super) const fn places(self) -> usize {
        self.rows * self.columns
    }

    /// Planes `[N, C, H, W]` sorted by place, `[N, C, places, windows]`: first what lies first in each window.
    /// Then the greatest of all windows are found side by side, with nothing to skip.
    pub(super) fn sorted(self, planes: &Array4<f32>) -> Array4<f32> {
        let (count, channels, height, width) = planes.dim();
        let [pooled_height, pooled_width] = self.pooled([height, width]);
        let shape = (count, channels, self.places(), pooled_height * pooled_width);
        let planes = planes.as_standard_layout();
        let mut sorted = Vec::with_capacity(planes.len());
        for plane in planes.as_slice().unwrap_or_default().chunks_exact(height * width) {
            for place in 0..self.places() {
                let lines = plane.chunks_exact(width).skip(place / self.columns).step_by(self.rows);
                for line in lines.take(pooled_height) {
                    let line = line.iter().skip(place % self.columns).step_by(self.columns);
                    sorted.extend(line.take(pooled_width));
                }
            }
        }
        // As many values as the shape says.
        Array4::from_shape_vec(shape, sorted).unwrap_or_else(|_| Array4::zeros((0, 0, 0, 0)))
    }

    /// Of each window of the sum `weight * one + other` of two sorted planes of finite numbers the greatest, but
    /// at least zero; appended to `pooled`.
    pub(super) fn greatest(self, [one, other]: [&[f32]; 2], weight: f32, pooled: &mut Vec<f32>) {
        let windows = one.len() / self.places();
        let mut places = one.chunks_exact(windows).zip(other.chunks_exact(windows));
        let Some((one, other)) = places.next() else { return };
        let start = pooled.len();
        pooled.extend(one.iter().zip(other).map(|(one, other)| greater(0.0, one * weight + other)));
        for (one, other) in places {
            for ((most, one), other) in pooled[start..].iter_mut().zip(one).zip(other) {
                *most = greater(*most, one * weight + other);
            }
        }
    }
}

/// The greater of two finite numbers; unlike `f32::max`, one instruction.
fn greater(one: f32, other: f32) -> f32 {
    if one > other { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_of_each_window_is_taken_and_the_rest_left_out() {
        // A plane of 5 rows and 7 columns, the larger part of it below zero.
        let plane = |value: fn(u16) -> f32| {
            Array4::from_shape_fn((1, 1, 5, 7), |(_, _, row, column)| value((row * 7 + column) as u16))
        };
        let one = plane(|place| f32::from(place * 11 % 35) - 20.0);
        let other = plane(|place| f32::from(place * 3 % 7));
        for (rows, columns) in [(2, 2), (1, 1), (2, 3), (5, 7)] {
            let window = Window { rows, columns };
            let [height, width] = window.pooled([5, 7]);
            let [sorted, added] =
                [&one, &other].map(|plane| window.sorted(plane).into_raw_vec_and_offset().0);
            let mut pooled = Vec::new();
            window.greatest([&sorted, &added], 0.5, &mut pooled);
            assert_eq!(pooled.len(), height * width);
            for (place, found) in pooled.iter().enumerate() {
                let (top, left) = (place / width * rows, place % width * columns);
                let places =
                    (top..top + rows).flat_map(|row| (left..left + columns).map(move |at| (row, at)));
                let sums = places.map(|(row, at)| 0.5 * one[[0, 0, row, at]] + other[[0, 0, row, at]]);
                let due = sums.fold(0.0, f32::max);
                assert_eq!(found.to_bits(), due.to_bits(), "{window:?} at {place}");
            }
        }
    }
}
