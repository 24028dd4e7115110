//! From the size a picture has to the size a network takes.

use super::error::PrepareError;
use super::level::Level;
use super::raster::Raster;
use super::resample::{Span, Taps, resample};
use crate::preprocessing::{CropRule, ResizeRule};

impl<L: Level> Raster<L> {
    /// The image with `height` x `width` pixels, resized by the rule where it has other sides.
    pub(crate) fn fitted(
        self,
        height: usize,
        width: usize,
        rule: Option<ResizeRule>,
    ) -> Result<Self, PrepareError> {
        if self.size() == (height, width) {
            return Ok(self);
        }
        let Some(rule) = rule else {
            let (found_height, found_width) = self.size();
            return Err(PrepareError::Size { height, width, found_height, found_width });
        };
        Ok(match rule.crop {
            CropRule::Stretch => {
                self.resized(height, Span::whole(self.height), width, Span::whole(self.width), rule)
            }
            CropRule::CenterCrop => {
                let ratio = self.smaller_ratio(height, width);
                let rows = Span::central(self.height, height as f64 * ratio);
                let columns = Span::central(self.width, width as f64 * ratio);
                self.resized(height, rows, width, columns, rule)
            }
            CropRule::Letterbox => self.letterboxed(height, width, rule),
        })
    }

    /// Source pixels a target pixel in the direction in which there are fewer.
    fn smaller_ratio(&self, height: usize, width: usize) -> f64 {
        (self.height as f64 / height as f64).min(self.width as f64 / width as f64)
    }

    fn resized(&self, height: usize, rows: Span, width: usize, columns: Span, rule: ResizeRule) -> Self {
        let rows = Taps::along(self.height, rows, height, rule.filter, rule.antialias);
        let columns = Taps::along(self.width, columns, width, rule.filter, rule.antialias);
        let samples = resample(&self.samples, self.width, self.channels, &rows, &columns);
        Self { height, width, channels: self.channels, samples }
    }

    fn letterboxed(&self, height: usize, width: usize, rule: ResizeRule) -> Self {
        let ratio = (self.height as f64 / height as f64).max(self.width as f64 / width as f64);
        let side = |source: usize, limit: usize| ((source as f64 / ratio).round() as usize).clamp(1, limit);
        let (rows, columns) = (side(self.height, height), side(self.width, width));
        let inner = self.resized(rows, Span::whole(self.height), columns, Span::whole(self.width), rule);
        let (top, left) = ((height - rows) / 2, (width - columns) / 2);
        let mut samples = vec![L::nearest(0.0); height * width * self.channels];
        for (row, line) in inner.samples.chunks_exact(columns * self.channels).enumerate() {
            let start = ((top + row) * width + left) * self.channels;
            samples[start..start + line.len()].copy_from_slice(line);
        }
        Self { height, width, channels: self.channels, samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{ExifOrientation, ResizeFilter};

    fn rule(crop: CropRule) -> ResizeRule {
        let exif_orientation = ExifOrientation::Ignore;
        ResizeRule { filter: ResizeFilter::Triangle, antialias: true, crop, exif_orientation }
    }

    /// Columns 0, 0, 100, 200, 255, 255 in two rows.
    fn wide() -> Raster<u8> {
        let samples = [0, 0, 100, 200, 255, 255].repeat(2);
        Raster { height: 2, width: 6, channels: 1, samples }
    }

    #[test]
    fn the_right_size_needs_no_rule_and_another_does() {
        assert_eq!(wide().fitted(2, 6, None).unwrap().into_samples(), wide().into_samples());
        let error = wide().fitted(6, 2, None).unwrap_err();
        assert_eq!(error, PrepareError::Size { height: 6, width: 2, found_height: 2, found_width: 6 });
    }

    #[test]
    fn a_central_crop_keeps_the_middle_as_it_is() {
        let cropped = wide().fitted(2, 2, Some(rule(CropRule::CenterCrop))).unwrap();
        assert_eq!(cropped.into_samples(), [100, 200, 100, 200]);
    }

    #[test]
    fn a_letterbox_keeps_everything_between_black_bars() {
        let boxed = wide().fitted(6, 6, Some(rule(CropRule::Letterbox))).unwrap();
        let mut expected = vec![0; 12];
        expected.extend(wide().into_samples());
        expected.extend([0; 12]);
        assert_eq!(boxed.into_samples(), expected);
    }

    #[test]
    fn a_line_becomes_at_least_one_pixel() {
        let line = Raster { height: 1, width: 1000, channels: 1, samples: vec![7_u8; 1000] };
        let boxed = line.fitted(10, 10, Some(rule(CropRule::Letterbox))).unwrap();
        let levels: u32 = boxed.samples().iter().map(|level| u32::from(*level)).sum();
        assert_eq!(levels, 10 * 7);
    }
}
