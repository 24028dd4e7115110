//! A small bank made larger: mirrored and shifted copies of its overlays.

use std::collections::HashSet;

use gifthorse_defence::digest::ContentDigest;
use gifthorse_defence::input::Layout;
use ndarray::{Array3, Array4, ArrayView3, Axis, Slice, stack};

/// Shifts in rows and columns, tried in this order, first upright and then mirrored.
const SHIFTS: [(isize, isize); 9] =
    [(0, 0), (-2, 0), (2, 0), (0, -2), (0, 2), (-2, -2), (2, 2), (-2, 2), (2, -2)];

/// The images `[N, ...]` and, after them, mirrored and shifted copies until there are `wanted` different ones or
/// no more can be made; beside each the number of the image it came from.
///
/// Pixels shifted in from outside repeat the edge.
pub(super) fn augmented(images: &Array4<f32>, layout: Layout, wanted: usize) -> (Array4<f32>, Vec<usize>) {
    let mut seen: HashSet<ContentDigest> = images.axis_iter(Axis(0)).map(ContentDigest::of_image).collect();
    let mut all: Vec<(Array3<f32>, usize)> =
        images.axis_iter(Axis(0)).enumerate().map(|(row, image)| (image.to_owned(), row)).collect();
    'full: for mirrored in [true, false] {
        for (rows, columns) in SHIFTS {
            for (row, image) in images.axis_iter(Axis(0)).enumerate() {
                if all.len() >= wanted {
                    break 'full;
                }
                let copy = changed(&image, layout, mirrored, rows, columns);
                if seen.insert(ContentDigest::of_image(copy.view())) {
                    all.push((copy, row));
                }
            }
        }
    }
    let sources = all.iter().map(|(_, row)| *row).collect();
    let views: Vec<_> = all.iter().map(|(image, _)| image.view()).collect();
    // All copies have the shape of the images.
    (stack(Axis(0), &views).unwrap_or_else(|_| images.clone()), sources)
}

fn changed(
    image: &ArrayView3<'_, f32>,
    layout: Layout,
    mirrored: bool,
    rows: isize,
    columns: isize,
) -> Array3<f32> {
    let mut view = image.view();
    if mirrored {
        view.slice_axis_inplace(layout.column_axis(), Slice::new(0, None, -1));
    }
    let from = |place: usize, by: isize, length: usize| {
        place.saturating_add_signed(by).min(length.saturating_sub(1))
    };
    let (row_axis, column_axis) = (layout.row_axis().index(), layout.column_axis().index());
    let (height, width) = (view.shape()[row_axis], view.shape()[column_axis]);
    Array3::from_shape_fn(view.dim(), |(first, second, third)| {
        let mut place = [first, second, third];
        place[row_axis] = from(place[row_axis], rows, height);
        place[column_axis] = from(place[column_axis], columns, width);
        view[place]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_differ_and_stop_when_there_are_no_more() {
        let images = Array4::from_shape_fn((2, 6, 5, 3), |(n, h, w, c)| (n * 90 + h * 15 + w * 3 + c) as f32);
        let (more, sources) = augmented(&images, Layout::ChannelsLast, 7);
        assert_eq!(more.shape(), [7, 6, 5, 3]);
        assert_eq!(sources[..4], [0, 1, 0, 1]);
        assert_eq!(more[[2, 0, 0, 0]].to_bits(), images[[0, 0, 4, 0]].to_bits());
        let flat = Array4::from_elem((1, 4, 4, 1), 0.5);
        assert_eq!(augmented(&flat, Layout::ChannelsLast, 10).0.shape(), [1, 4, 4, 1]);
    }
}
