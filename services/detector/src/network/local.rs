//! A network of the store, run by the engine of this process.

use std::ops::Range;
use std::sync::Arc;

use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::Blend;
use gifthorse_defence::input::{Layout as PlaneLayout, PlaneShape};
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery;
use ndarray::{Array2, Array3, Array4, ArrayView3, Axis};

use super::convolved::{AffineBlend, ConvolvedBank, ConvolvedBanks};
use super::part::{Answers, Loader, Part};
use super::run::{Patience, RunError};
use super::window::Window;
use crate::error::DetectorError;

/// The two parts of a network, cut at one activation `[N, C, H, W]`.
#[derive(Debug)]
struct Halves {
    prefix: Part,
    suffix: Part,
    shape: PlaneShape,
    tensor: String,
}

/// A network cut behind its first convolution, which is affine: what it makes of a sum of pictures is the sum of
/// what it makes of each.
#[derive(Debug)]
struct FirstConvolution {
    front: Part,
    /// From the convolution on, or from the pooling behind it.
    back: Part,
    /// `[C, H, W]` of the convolved picture.
    shape: [usize; 3],
    /// The pooling, where one follows behind a rectifier: done while blending.
    pooling: Option<Window>,
    banks: ConvolvedBanks,
}

/// A loaded network that answers logits.
#[derive(Debug)]
pub(super) struct LocalNetwork {
    name: String,
    whole: Part,
    halves: Result<Halves, String>,
    first: Option<FirstConvolution>,
}

impl Loader {
    /// Loads the network whole and in two parts, cut at this layer or, without one, at the nearest activation
    /// that its output cannot bypass.
    pub(super) async fn load(
        &self,
        name: &str,
        onnx: &[u8],
        description: &NetworkDescription,
        layer: &str,
    ) -> Result<LocalNetwork, DetectorError> {
        let whole = self.part(name, surgery::expose_logits(onnx, description)?).await?;
        let cut = match layer {
            "" => surgery::default_cut(onnx, description),
            named => surgery::cut_at(onnx, description, named),
        };
        let halves = match cut {
            Ok(cut) => {
                let split = surgery::split(onnx, description, &cut)?;
                let shape = PlaneShape {
                    layout: PlaneLayout::ChannelsFirst,
                    channels: cut.channels as usize,
                    height: cut.height as usize,
                    width: cut.width as usize,
                };
                let prefix = self.part(&format!("{name} prefix"), split.prefix).await?;
                let suffix = self.part(&format!("{name} suffix"), split.suffix).await?;
                Ok(Halves { prefix, suffix, shape, tensor: cut.tensor })
            }
            Err(error) if layer.is_empty() => Err(error.to_string()),
            Err(error) => return Err(error.into()),
        };
        let first = match surgery::first_convolution(onnx, description)? {
            Some(parts) => {
                let shape = [parts.channels, parts.height, parts.width].map(|side| side as usize);
                let front = self.part(&format!("{name} front"), parts.front).await?;
                let (back, pooling) = match parts.pooled {
                    Some(pooled) => {
                        let [rows, columns] = pooled.window.map(|side| side as usize);
                        (pooled.back, Some(Window { rows, columns }))
                    }
                    None => (parts.back, None),
                };
                let back =
                    self.part(&format!("{name} back"), surgery::in_blocks(&back, self.block())?).await?;
                Some(FirstConvolution { front, back, shape, pooling, banks: ConvolvedBanks::default() })
            }
            None => None,
        };
        Ok(LocalNetwork { name: name.to_owned(), whole, halves, first })
    }
}

impl LocalNetwork {
    pub(super) fn logits(&self, inputs: Array4<f32>, patience: &Patience) -> Result<Array2<f32>, RunError> {
        let rows = inputs.shape()[0];
        self.answers(rows, self.whole.run(inputs, patience)?)
    }

    /// What the blends of an image are made of: the image.
    ///
    /// Where the blend is affine and the network begins with a convolution, the convolved bank is kept and only
    /// the image is convolved, and both are sorted by the windows of a pooling behind: the same answers up to
    /// rounding, in fewer operations.
    pub(super) fn blending(
        &self,
        image: &ArrayView3<'_, f32>,
        bank: &OverlayBank,
        blend: Blend,
        patience: &Patience,
    ) -> Result<Array3<f32>, RunError> {
        let Some((first, weights)) = self.first.as_ref().zip(AffineBlend::of(blend)) else {
            return Ok(image.to_owned());
        };
        let convolved = self.convolved(first, bank, patience)?;
        let image = image.view().insert_axis(Axis(0)).as_standard_layout().into_owned();
        let own = self.convolve(first, image, patience)?;
        Ok(weights.own(&own.index_axis(Axis(0), 0), &convolved))
    }

    /// The answers to the blends of what [`Self::blending`] made of an image with consecutive overlays of a bank.
    pub(super) fn blended(
        &self,
        image: &ArrayView3<'_, f32>,
        bank: &OverlayBank,
        overlays: Range<usize>,
        blend: Blend,
        patience: &Patience,
    ) -> Result<Array2<f32>, RunError> {
        let Some((first, weights)) = self.first.as_ref().zip(AffineBlend::of(blend)) else {
            return self.logits(blend.copies(image.view(), bank, overlays), patience);
        };
        let convolved = self.convolved(first, bank, patience)?;
        let [channels, height, width] = first.shape;
        let [height, width] = match first.pooling {
            Some(window) => window.pooled([height, width]),
            None => [height, width],
        };
        // A piece is run while the next is blended.
        let mut begun = first.back.begun(patience);
        for piece in first.back.pieces(overlays.len()) {
            let shape = [piece.len(), channels, height, width];
            let chosen = overlays.start + piece.start..overlays.start + piece.end;
            let mixed = match first.pooling {
                Some(window) => weights.mixed_and_pooled(image, &convolved, chosen, window),
                None => weights.mixed(image, &convolved, chosen),
            };
            begun.piece(shape, mixed)?;
        }
        self.answers(overlays.len(), begun.finish()?)
    }

    fn convolved(
        &self,
        first: &FirstConvolution,
        bank: &OverlayBank,
        patience: &Patience,
    ) -> Result<Arc<ConvolvedBank>, RunError> {
        first.banks.of(bank, |pictures| self.convolve(first, pictures, patience))
    }

    fn convolve(
        &self,
        first: &FirstConvolution,
        pictures: Array4<f32>,
        patience: &Patience,
    ) -> Result<Array4<f32>, RunError> {
        let rows = pictures.shape()[0];
        let Answers { shape, values } = first.front.run(pictures, patience)?;
        // The maximum of a window would swallow a NaN, which has to be an error.
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(RunError::NotFinite { model: self.name.clone(), value: *value });
        }
        let [channels, height, width] = first.shape;
        let convolved = Array4::from_shape_vec((rows, channels, height, width), values)
            .map_err(|_| self.unlike(&[rows, channels, height, width], &shape))?;
        Ok(match first.pooling {
            Some(window) => window.sorted(&convolved),
            None => convolved,
        })
    }

    pub(super) fn prefix(&self, inputs: Array4<f32>, patience: &Patience) -> Result<Array4<f32>, RunError> {
        let halves = self.halves()?;
        let rows = inputs.shape()[0];
        let Answers { shape, values } = halves.prefix.run(inputs, patience)?;
        let [first, second, third] = halves.shape.axes();
        Array4::from_shape_vec((rows, first, second, third), values)
            .map_err(|_| self.unlike(&[rows, first, second, third], &shape))
    }

    pub(super) fn suffix(
        &self,
        activations: Array4<f32>,
        patience: &Patience,
    ) -> Result<Array2<f32>, RunError> {
        let rows = activations.shape()[0];
        self.answers(rows, self.halves()?.suffix.run(activations, patience)?)
    }

    /// The shape of the activation at the cut; all zeros for a network that cannot be cut.
    pub(super) fn activation_shape(&self) -> PlaneShape {
        let none = PlaneShape { layout: PlaneLayout::ChannelsFirst, height: 0, width: 0, channels: 0 };
        self.halves.as_ref().map_or(none, |halves| halves.shape)
    }

    /// Name of the tensor at the cut, or why there is none.
    pub(super) fn cut(&self) -> Result<&str, RunError> {
        self.halves().map(|halves| halves.tensor.as_str())
    }

    fn halves(&self) -> Result<&Halves, RunError> {
        let no_cut = |reason: &String| RunError::NoCut { model: self.name.clone(), reason: reason.clone() };
        self.halves.as_ref().map_err(no_cut)
    }

    fn answers(&self, rows: usize, answers: Answers) -> Result<Array2<f32>, RunError> {
        let Answers { shape, values } = answers;
        let classes = values.len().checked_div(rows).unwrap_or_default();
        Array2::from_shape_vec((rows, classes), values).map_err(|_| self.unlike(&[rows, classes], &shape))
    }

    fn unlike(&self, expected: &[usize], found: &[u64]) -> RunError {
        RunError::Answer {
            model: self.name.clone(),
            expected: format!("{expected:?}"),
            found: format!("{found:?}"),
        }
    }
}
