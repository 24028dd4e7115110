//! Turning pictures upright.

use image::metadata::Orientation;

/// The picture's `[H, W, C]` samples turned upright: height, width and samples of the result.
pub(super) fn upright(
    orientation: Orientation,
    height: usize,
    width: usize,
    channels: usize,
    samples: &[u8],
) -> (usize, usize, Vec<u8>) {
    if orientation == Orientation::NoTransforms {
        return (height, width, samples.to_vec());
    }
    let on_its_side = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (rows, columns) = if on_its_side { (width, height) } else { (height, width) };
    let mut turned = Vec::with_capacity(samples.len());
    for row in 0..rows {
        for column in 0..columns {
            let (source_row, source_column) = match orientation {
                Orientation::NoTransforms => (row, column),
                Orientation::FlipHorizontal => (row, width - 1 - column),
                Orientation::FlipVertical => (height - 1 - row, column),
                Orientation::Rotate180 => (height - 1 - row, width - 1 - column),
                Orientation::Rotate90 => (height - 1 - column, row),
                Orientation::Rotate270 => (column, width - 1 - row),
                Orientation::Rotate90FlipH => (column, row),
                Orientation::Rotate270FlipH => (height - 1 - column, width - 1 - row),
            };
            let start = (source_row * width + source_column) * channels;
            turned.extend_from_slice(&samples[start..start + channels]);
        }
    }
    (rows, columns, turned)
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, GrayImage};

    use super::*;

    #[test]
    fn every_orientation_turns_as_the_image_crate_does() {
        let samples: Vec<u8> = (0..6).collect();
        for code in 1..=8 {
            let orientation = Orientation::from_exif(code).unwrap();
            let mut expected = DynamicImage::ImageLuma8(GrayImage::from_raw(3, 2, samples.clone()).unwrap());
            expected.apply_orientation(orientation);
            let (height, width, turned) = upright(orientation, 2, 3, 1, &samples);
            assert_eq!((width as u32, height as u32), (expected.width(), expected.height()), "{code}");
            assert_eq!(turned, expected.into_bytes(), "{code}");
        }
    }
}
