//! Poolings whose windows lie side by side.

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

    /// Of each window of the sum `weight * one + other` of two planes, rows of `width` finite numbers, the
    /// greatest, but at least zero. `line` is room for one row.
    pub(super) fn greatest(
        self,
        [one, other]: [&[f32]; 2],
        weight: f32,
        line: &mut Vec<f32>,
        width: usize,
        pooled: &mut [f32],
    ) {
        let windows = one.chunks_exact(width * self.rows).zip(other.chunks_exact(width * self.rows));
        for (pooled, (one, other)) in pooled.chunks_exact_mut(width / self.columns).zip(windows) {
            line.clear();
            line.resize(width, 0.0);
            for (one, other) in one.chunks_exact(width).zip(other.chunks_exact(width)) {
                for ((most, one), other) in line.iter_mut().zip(one).zip(other) {
                    *most = greater(*most, one * weight + other);
                }
            }
            if self.columns == 2 {
                // The usual window once more, of a size that the compiler knows.
                for (most, [left, right]) in pooled.iter_mut().zip(line.as_chunks().0) {
                    *most = greater(*left, *right);
                }
            } else {
                for (most, window) in pooled.iter_mut().zip(line.chunks_exact(self.columns)) {
                    *most = window.iter().copied().fold(0.0, greater);
                }
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
        let one: Vec<f32> = (0..35_u16).map(|place| f32::from(place * 11 % 35) - 20.0).collect();
        let other: Vec<f32> = (0..35_u16).map(|place| f32::from(place * 3 % 7)).collect();
        for (rows, columns) in [(2, 2), (1, 1), (2, 3), (5, 7)] {
            let window = Window { rows, columns };
            let [height, width] = window.pooled([5, 7]);
            let mut pooled = vec![f32::NAN; height * width];
            window.greatest([&one, &other], 0.5, &mut Vec::new(), 7, &mut pooled);
            for (place, found) in pooled.iter().enumerate() {
                let (top, left) = (place / width * rows, place % width * columns);
                let places =
                    (top..top + rows).flat_map(|row| (left..left + columns).map(move |at| row * 7 + at));
                let due = places.map(|at| 0.5 * one[at] + other[at]).fold(0.0, f32::max);
                assert_eq!(found.to_bits(), due.to_bits(), "{window:?} at {place}");
            }
        }
    }
}
