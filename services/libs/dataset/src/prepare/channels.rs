//! From the channels a picture has to the channels a network takes.

use super::error::PrepareError;
use super::level::Level;
use super::raster::Raster;
use crate::preprocessing::AlphaRule;

impl<L: Level> Raster<L> {
    /// The image with `wanted` channels, 1 or 3: alpha resolved by the rule, grey repeated three times,
    /// colour reduced to luma.
    pub(crate) fn with_channels(self, wanted: usize, alpha: AlphaRule) -> Result<Self, PrepareError> {
        let opaque = self.without_alpha(alpha)?;
        Ok(match (opaque.channels, wanted) {
            (1, 3) => opaque.map_pixels(3, |pixel, out| out.extend([pixel[0]; 3])),
            (3, 1) => opaque.map_pixels(1, |pixel, out| out.push(luma(pixel))),
            _ => opaque,
        })
    }

    fn without_alpha(self, rule: AlphaRule) -> Result<Self, PrepareError> {
        let colours = match self.channels {
            2 => 1,
            4 => 3,
            _ => return Ok(self),
        };
        let ground = match rule {
            AlphaRule::Refuse => return Err(PrepareError::Alpha),
            AlphaRule::Drop => {
                return Ok(self.map_pixels(colours, |pixel, out| out.extend_from_slice(&pixel[..colours])));
            }
            AlphaRule::BlendOnBlack => 0.0,
            AlphaRule::BlendOnWhite => 255.0,
        };
        Ok(self.map_pixels(colours, |pixel, out| {
            let cover = pixel[colours].level() / 255.0;
            let over = |level: &L| L::nearest(level.level() * cover + ground * (1.0 - cover));
            out.extend(pixel[..colours].iter().map(over));
        }))
    }

    fn map_pixels(self, channels: usize, write: impl Fn(&[L], &mut Vec<L>)) -> Self {
        let mut samples = Vec::with_capacity(self.height * self.width * channels);
        for pixel in self.samples.chunks_exact(self.channels) {
            write(pixel, &mut samples);
        }
        Self { height: self.height, width: self.width, channels, samples }
    }
}

/// The brightness of a colour after ITU-R BT.601, as Pillow's mode "L" has it.
fn luma<L: Level>(pixel: &[L]) -> L {
    let [red, green, blue] = [pixel[0].level(), pixel[1].level(), pixel[2].level()];
    L::nearest(0.299 * red + 0.587 * green + 0.114 * blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(samples: &[u8]) -> Raster<u8> {
        Raster { height: 1, width: 1, channels: samples.len(), samples: samples.to_vec() }
    }

    #[test]
    fn alpha_follows_the_rule() {
        let half = || pixel(&[200, 100, 0, 128]);
        assert!(matches!(half().with_channels(3, AlphaRule::Refuse), Err(PrepareError::Alpha)));
        let resolved = |rule| half().with_channels(3, rule).unwrap().into_samples();
        assert_eq!(resolved(AlphaRule::Drop), [200, 100, 0]);
        assert_eq!(resolved(AlphaRule::BlendOnBlack), [100, 50, 0]);
        assert_eq!(resolved(AlphaRule::BlendOnWhite), [227, 177, 127]);
        let grey = pixel(&[10, 0]).with_channels(3, AlphaRule::BlendOnWhite).unwrap();
        assert_eq!(grey.into_samples(), [255, 255, 255]);
    }

    #[test]
    fn grey_survives_the_way_to_colour_and_back() {
        for level in 0..=255 {
            let colour = pixel(&[level]).with_channels(3, AlphaRule::Refuse).unwrap();
            assert_eq!(colour.samples(), [level; 3]);
            assert_eq!(colour.with_channels(1, AlphaRule::Refuse).unwrap().into_samples(), [level]);
        }
    }

    #[test]
    fn luma_weighs_green_most() {
        let luma = |rgb: &[u8]| pixel(rgb).with_channels(1, AlphaRule::Refuse).unwrap().into_samples()[0];
        assert_eq!([luma(&[255, 0, 0]), luma(&[0, 255, 0]), luma(&[0, 0, 255])], [76, 150, 29]);
    }
}
