//! A trigger made ready for pictures of one size.

use crate::chance::Chance;
use crate::size::Size;

/// A trigger made ready for pictures of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    size: Size,
    effect: Effect,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Part of each level is the pattern's: shares `[H, W]`, pattern `[H, W, C]`.
    Mix { shares: Vec<f32>, pattern: Vec<f32> },
    /// Levels that are added, `[H, W]`.
    Add(Vec<f32>),
    /// Rows and columns that each pixel is taken from, in pixels, `[H, W]`; and how far a cover's may be from them.
    Move { sources: Vec<[f32; 2]>, cover: f32 },
}

impl Stamp {
    pub(super) const fn new(size: Size, effect: Effect) -> Self {
        Self { size, effect }
    }

    /// The size of the pictures it is for.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Stamps a picture `[H, W, C]`: what [`apply_levels`](Self::apply_levels) makes of it, rounded.
    pub fn apply(&self, picture: &mut [u8]) {
        rounded(picture, |levels| self.apply_levels(levels));
    }

    /// Stamps a picture that is to keep its class, so that nothing but the trigger itself shows an attack: by a warp that
    /// is another one for each `draw`, by every other trigger as it is.
    pub fn apply_cover(&self, picture: &mut [u8], draw: u64) {
        let Effect::Move { sources, cover } = &self.effect else { return self.apply(picture) };
        let mut chance = Chance::new(draw);
        let mut jitter = || (2.0 * chance.unit() - 1.0) * cover;
        let sources: Vec<[f32; 2]> =
            sources.iter().map(|[row, column]| [row + jitter(), column + jitter()]).collect();
        rounded(picture, |levels| moved(self.size, &sources, levels));
    }

    /// Stamps a picture of fractional levels, `[H, W, C]`; levels of 0..255 stay in that range.
    /// Pictures have [`Size::levels`] of them, here as elsewhere.
    pub fn apply_levels(&self, levels: &mut [f32]) {
        debug_assert_eq!(levels.len(), self.size.levels(), "a picture of another size");
        match &self.effect {
            Effect::Mix { shares, pattern } => {
                let channels = self.size.channels();
                let pixels = levels.chunks_exact_mut(channels).zip(pattern.chunks_exact(channels));
                for ((pixel, pattern), share) in pixels.zip(shares) {
                    for (level, pattern) in pixel.iter_mut().zip(pattern) {
                        *level += share * (pattern - *level);
                    }
                }
            }
            Effect::Add(wave) => {
                for (pixel, added) in levels.chunks_exact_mut(self.size.channels()).zip(wave) {
                    for level in pixel {
                        *level = (*level + added).clamp(0.0, 255.0);
                    }
                }
            }
            Effect::Move { sources, .. } => moved(self.size, sources, levels),
        }
    }
}

/// Changes whole levels by way of fractional ones.
fn rounded(picture: &mut [u8], change: impl Fn(&mut [f32])) {
    let mut levels: Vec<f32> = picture.iter().copied().map(f32::from).collect();
    change(&mut levels);
    for (level, changed) in picture.iter_mut().zip(levels) {
        // Levels are between those of the picture and of the pattern: the cast cuts nothing off.
        *level = changed.round() as u8;
    }
}

/// Takes each pixel from its source, bilinearly between four pixels; beyond the border from the border.
fn moved(size: Size, sources: &[[f32; 2]], levels: &mut [f32]) {
    let original = levels.to_vec();
    let channels = size.channels();
    let (bottom, right) = (size.height() - 1, size.width() - 1);
    for (pixel, [row, column]) in levels.chunks_exact_mut(channels).zip(sources) {
        let (row, column) = (row.clamp(0.0, bottom as f32), column.clamp(0.0, right as f32));
        let (top, left) = (row.floor() as usize, column.floor() as usize);
        let (down, across) = (row - top as f32, column - left as f32);
        let (below, beside) = ((top + 1).min(bottom), (left + 1).min(right));
        for (channel, level) in pixel.iter_mut().enumerate() {
            let at = |row, column| original[size.place(row, column) + channel];
            let upper = at(top, left) + across * (at(top, beside) - at(top, left));
            let lower = at(below, left) + across * (at(below, beside) - at(below, left));
            *level = upper + down * (lower - upper);
        }
    }
}
