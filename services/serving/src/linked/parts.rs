//! How much of a request goes to a foreign server at once.

use std::ops::Range;

/// Rows that go into one message: so many that neither the operator's limits nor the server's own are passed.
pub(crate) fn part_rows(
    fixed_rows: Option<u64>,
    row_bytes: usize,
    max_rows: usize,
    max_bytes: usize,
) -> usize {
    // A server with a fixed count of rows takes one at a time: other counts are refused when it is linked.
    if fixed_rows.is_some() {
        return 1;
    }
    (max_bytes / row_bytes.max(1)).clamp(1, max_rows.max(1))
}

/// The parts of so many rows, in order.
pub(super) fn parts(rows: usize, part: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(part).map(move |first| first..rows.min(first + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_row_once() {
        assert_eq!(parts(7, 3).collect::<Vec<_>>(), [0..3, 3..6, 6..7]);
        assert!(parts(2, 3).eq(std::iter::once(0..2)));
    }

    #[test]
    fn the_narrowest_limit_counts() {
        assert_eq!(part_rows(None, 1000, 128, 3_000_000), 128);
        assert_eq!(part_rows(None, 31_020, 128, 3 << 20), 101);
        assert_eq!(part_rows(None, 10_000_000, 128, 3 << 20), 1);
        assert_eq!(part_rows(Some(1), 4, 128, 3 << 20), 1);
    }
}
