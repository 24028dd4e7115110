//! Banks behind a network's first convolution, and the blends of pictures there.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::Blend;
use gifthorse_defence::digest::ContentDigest;
use gifthorse_defence::input::Layout;
use ndarray::{Array3, Array4, ArrayView3, Axis, Zip};

use super::window::Window;

/// Banks that are kept for one network. Policies need one or two.
const KEPT: usize = 4;

/// A bank as its network's first convolution sees it.
#[derive(Debug)]
pub(super) struct ConvolvedBank {
    digest: ContentDigest,
    /// `[N, C, H, W]`, or as `convolve` sorted it.
    overlays: Array4<f32>,
    /// `[C, H, W]`, likewise: of the picture that is black all over.
    black: Array3<f32>,
}

/// The banks that were convolved last.
#[derive(Debug, Default)]
pub(super) struct ConvolvedBanks(Mutex<Vec<Arc<ConvolvedBank>>>);

impl ConvolvedBanks {
    /// The convolved bank, from memory or from `convolve`.
    pub(super) fn of<E>(
        &self,
        bank: &OverlayBank,
        convolve: impl Fn(Array4<f32>) -> Result<Array4<f32>, E>,
    ) -> Result<Arc<ConvolvedBank>, E> {
        let digest = bank.digest();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.iter().find(|found| found.digest == digest) {
            return Ok(Arc::clone(found));
        }
        // Others that want this bank wait here for it instead of convolving it again.
        let overlays = convolve(bank.images().to_owned())?.as_standard_layout().into_owned();
        let black = convolve(black(bank))?.index_axis_move(Axis(0), 0);
        let convolved = Arc::new(ConvolvedBank { digest, overlays, black });
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push(Arc::clone(&convolved));
        Ok(convolved)
    }
}

/// The picture that is black all over, `[1, ...]` in the bank's layout.
fn black(bank: &OverlayBank) -> Array4<f32> {
    let shape = bank.space().shape();
    let [first, second, third] = shape.axes();
    let channel = match shape.layout {
        Layout::ChannelsLast => 3,
        Layout::ChannelsFirst => 1,
    };
    Array4::from_shape_fn((1, first, second, third), |(row, i, j, k)| {
        bank.space().ranges()[[row, i, j, k][channel]].black
    })
}

/// A blend that is a weighted sum of image, overlay and black, the weights adding up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AffineBlend {
    image: f32,
    /// None for 1, which needs no multiplication.
    overlay: Option<f32>,
    black: f32,
}

impl AffineBlend {
    /// The weights of a blend; none for one that clips.
    pub(super) fn of(blend: Blend) -> Option<Self> {
        match blend {
            Blend::Add => Some(Self { image: 1.0, overlay: None, black: -1.0 }),
            Blend::Convex { weight } => {
                let weight = weight.value();
                Some(Self { image: weight, overlay: Some(1.0 - weight), black: 0.0 })
            }
            Blend::AddClamp => None,
        }
    }

    /// What a convolved image contributes to each of its blends.
    pub(super) fn own(self, image: &ArrayView3<'_, f32>, bank: &ConvolvedBank) -> Array3<f32> {
        Zip::from(image).and(&bank.black).map_collect(|image, black| self.image * image + self.black * black)
    }

    /// As [`Self::mixed`], rectified, and of each window the greatest: in one go, so that what the convolution
    /// makes of all blends, several times as much, never lies in memory. Image and bank are sorted by the window.
    pub(super) fn mixed_and_pooled(
        self,
        own: &ArrayView3<'_, f32>,
        bank: &ConvolvedBank,
        overlays: Range<usize>,
        window: Window,
    ) -> Vec<f32> {
        let (_, places, windows) = own.dim();
        let chosen = bank.overlays.slice_axis(Axis(0), overlays.into());
        let own = own.as_standard_layout();
        let mut pooled = Vec::with_capacity(chosen.len() / places.max(1));
        if let (Some(chosen), Some(own)) = (chosen.as_slice(), own.as_slice()) {
            let plane = places * windows;
            let pairs = chosen.chunks_exact(plane).zip(own.chunks_exact(plane).cycle());
            for (overlay, own) in pairs {
                window.greatest([overlay, own], self.overlay.unwrap_or(1.0), &mut pooled);
            }
        }
        pooled
    }

    /// The convolved blends of what [`Self::own`] made of an image with overlays of the bank, in standard order.
    pub(super) fn mixed(
        self,
        own: &ArrayView3<'_, f32>,
        bank: &ConvolvedBank,
        overlays: Range<usize>,
    ) -> Vec<f32> {
        let chosen = bank.overlays.slice_axis(Axis(0), overlays.into());
        let own = own.as_standard_layout();
        let mut mixed = Vec::with_capacity(chosen.len());
        if let (Some(chosen), Some(own)) = (chosen.as_slice(), own.as_slice()) {
            for overlay in chosen.chunks_exact(own.len()) {
                let levels = overlay.iter().zip(own);
                match self.overlay {
                    None => mixed.extend(levels.map(|(overlay, own)| overlay + own)),
                    Some(weight) => mixed.extend(levels.map(|(overlay, own)| overlay * weight + own)),
                }
            }
        }
        mixed
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use gifthorse_defence::blend::ConvexWeight;
    use gifthorse_defence::input::{ChannelRange, InputSpace};

    use super::*;

    /// An affine map that stands for a convolution: channels first, doubled, one added.
    fn convolve(pictures: &Array4<f32>) -> Array4<f32> {
        pictures.clone().permuted_axes([0, 3, 1, 2]).mapv(|level| 2.0 * level + 1.0)
    }

    #[test]
    fn blends_behind_the_convolution_are_convolved_blends() {
        let range = ChannelRange { black: -0.5, white: 1.5 };
        let space = InputSpace::uniform(Layout::ChannelsLast, 3, 2, 3, range).unwrap();
        let images =
            Array4::from_shape_fn((4, 3, 2, 3), |(n, i, j, k)| (n * 7 + i * 5 + j * 3 + k) as f32 / 40.0);
        let bank = OverlayBank::new(space, images, vec![0; 4]).unwrap();
        let picture = Array3::from_shape_fn((3, 2, 3), |(i, j, k)| (i + 2 * j + 3 * k) as f32 / 9.0);
        let (banks, sorted_banks) = (ConvolvedBanks::default(), ConvolvedBanks::default());
        let whole = Window { rows: 3, columns: 2 };
        let runs = Cell::new(0);
        let counted = |pictures: Array4<f32>| {
            runs.set(runs.get() + 1);
            Ok::<_, ()>(convolve(&pictures))
        };
        for blend in [Blend::Add, Blend::Convex { weight: ConvexWeight::new(0.3).unwrap() }] {
            let convolved = banks.of(&bank, counted).unwrap();
            let image = convolve(&picture.clone().insert_axis(Axis(0)));
            let weights = AffineBlend::of(blend).unwrap();
            let own = weights.own(&image.index_axis(Axis(0), 0), &convolved);
            let mixed = |overlays| weights.mixed(&own.view(), &convolved, overlays);
            let found = [mixed(0..1), mixed(1..4)].concat();
            let due = convolve(&blend.copies(picture.view(), &bank, 0..4));
            assert_eq!(found.len(), due.len());
            for (found, due) in found.iter().zip(&due.as_standard_layout()) {
                assert!((found - due).abs() < 1e-5, "{blend:?}");
            }
            let sorted = sorted_banks.of(&bank, |pictures| counted(pictures).map(|made| whole.sorted(&made)));
            let own = weights.own(&whole.sorted(&image).index_axis(Axis(0), 0), sorted.as_ref().unwrap());
            let pooled = weights.mixed_and_pooled(&own.view(), &sorted.unwrap(), 1..4, whole);
            assert_eq!(pooled.len(), 3 * 3);
            for (pooled, found) in pooled.iter().zip(mixed(1..4).chunks_exact(3 * 2)) {
                let due = found.iter().copied().fold(0.0, f32::max);
                assert!((pooled - due).abs() < 1e-6, "{blend:?}");
            }
        }
        assert_eq!(runs.get(), 4, "either bank is convolved once");
        assert_eq!(AffineBlend::of(Blend::AddClamp), None);
    }
}
