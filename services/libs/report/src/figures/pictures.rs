//! Pictures on figures: pixels stay squares, whatever the size.

use std::fmt::Write;

use crate::error::ReportError;
use plotters::style::RGBColor;

use crate::figures::style;
use crate::picture::Picture;
use crate::record::RegionRecord;

/// A picture at a place of a figure, in drawn pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp<'a> {
    /// The picture.
    pub(crate) picture: &'a Picture,
    /// Left and upper end.
    pub(crate) place: (i32, i32),
    /// Width and height it is drawn with.
    pub(crate) size: (u32, u32),
    /// A rectangle of the picture to mark, in pixels of the picture.
    pub(crate) mark: Option<RegionRecord>,
}

/// Width of a mark's line.
const LINE: i32 = 6;

impl Stamp<'_> {
    /// The stamp this much lower.
    pub(crate) const fn moved_down(mut self, distance: i32) -> Self {
        self.place.1 += distance;
        self
    }

    /// The mark in drawn pixels: left, top, right, bottom; none when it lies outside the picture.
    fn mark(&self) -> Option<(i32, i32, i32, i32)> {
        let region = self.mark?;
        let (columns, rows) = self.picture.size();
        if region.left >= columns || region.top >= rows {
            return None;
        }
        let right = region.left.saturating_add(region.width).min(columns);
        let bottom = region.top.saturating_add(region.height).min(rows);
        let x = |column: u32| {
            self.place.0 + (u64::from(column) * u64::from(self.size.0) / u64::from(columns)) as i32
        };
        let y = |row: u32| self.place.1 + (u64::from(row) * u64::from(self.size.1) / u64::from(rows)) as i32;
        Some((x(region.left), y(region.top), x(right), y(bottom)))
    }

    /// The stamp as elements of an SVG document.
    pub(crate) fn to_svg(self) -> Result<String, ReportError> {
        let (x, y) = self.place;
        let (width, height) = self.size;
        let data = self.picture.to_base64()?;
        let mut svg = format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>\n"
        );
        if let Some((left, top, right, bottom)) = self.mark() {
            let RGBColor(red, green, blue) = style::ALERT;
            let (width, height) = (right - left, bottom - top);
            let _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" \
                 stroke=\"#{red:02x}{green:02x}{blue:02x}\" stroke-width=\"{LINE}\"/>"
            );
        }
        Ok(svg)
    }

    /// Lays the stamp onto pixels.
    pub(crate) fn press(self, pixels: &mut [u8], figure: (u32, u32)) {
        let mut set = |x: i32, y: i32, colour: [u8; 3]| {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
            if x < figure.0 && y < figure.1 {
                let index = (y as usize * figure.0 as usize + x as usize) * 3;
                pixels[index..index + 3].copy_from_slice(&colour);
            }
        };
        let share = |index: u32, side: u32| (f64::from(index) + 0.5) / f64::from(side);
        for row in 0..self.size.1 {
            for column in 0..self.size.0 {
                let colour = self.picture.at(share(column, self.size.0), share(row, self.size.1));
                set(self.place.0 + column as i32, self.place.1 + row as i32, colour);
            }
        }
        let Some((left, top, right, bottom)) = self.mark() else { return };
        let RGBColor(red, green, blue) = style::ALERT;
        let half = LINE / 2;
        let near = |value: i32, end: i32| (value - end).abs() <= half;
        for y in top - half..=bottom + half {
            for x in left - half..=right + half {
                if near(x, left) || near(x, right) || near(y, top) || near(y, bottom) {
                    set(x, y, [red, green, blue]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::v1::{ImageTensor, image_tensor::Content};

    use super::*;

    #[test]
    fn marks_lie_on_the_picture() {
        let tensor = ImageTensor {
            shape: vec![2, 2, 1],
            content: Content::PixelsUint8.into(),
            data: vec![0, 50, 100, 150].into(),
        };
        let picture = Picture::of_tensor(&tensor).unwrap();
        let region = |top, left, height, width| Some(RegionRecord { top, left, height, width });
        let stamp = |mark| Stamp { picture: &picture, place: (10, 20), size: (40, 40), mark };
        assert_eq!(stamp(region(1, 0, 1, 2)).mark(), Some((10, 40, 50, 60)));
        assert_eq!(stamp(region(0, 1, u32::MAX, u32::MAX)).mark(), Some((30, 20, 50, 60)));
        assert_eq!(stamp(region(2, 0, 1, 1)).mark(), None);
        assert!(stamp(region(0, 0, 1, 1)).to_svg().unwrap().contains("<rect x=\"10\" y=\"20\" width=\"20\""));

        let mut pixels = vec![255; 60 * 70 * 3];
        stamp(None).press(&mut pixels, (60, 70));
        assert_eq!(pixels[(20 * 60 + 10) * 3], 0);
        assert_eq!(pixels[(59 * 60 + 49) * 3], 150);
        assert_eq!(pixels[(60 * 60 + 49) * 3], 255);
        stamp(region(0, 0, 2, 2)).press(&mut pixels, (20, 20));
    }
}
