//! What a network must be able to do to be watched.

use std::num::NonZeroUsize;
use std::ops::Range;

use gifthorse_api::catalogue::Coded;
use ndarray::{Array2, Array3, Array4, ArrayView3};

use crate::bank::OverlayBank;
use crate::blend::Blend;
use crate::input::PlaneShape;

/// A network that answers logits or log-probabilities.
///
/// The contract that makes scores reproducible: a row's answer depends on that row alone, not on its place in
/// the batch nor on the rows beside it.
pub trait Classifier {
    /// What can go wrong in a run; passed through unchanged.
    type Error: Coded + 'static;

    /// M, the number of classes.
    fn classes(&self) -> usize;

    /// Rows that one call takes at most. Larger batches are cut before they get here.
    fn max_rows(&self) -> NonZeroUsize;

    /// The logits or log-probabilities `[N, M]` of prepared inputs `[N, H, W, C]` (or `[N, C, H, W]`, as the
    /// network has it), in standard order of elements, N at most [`max_rows`](Self::max_rows).
    ///
    /// Non-finite answers need not be looked for here: whoever asked does.
    fn logits(&self, inputs: Array4<f32>) -> Result<Array2<f32>, Self::Error>;

    /// What [`blended_logits`](Self::blended_logits) needs of an image, made once for all its blends with
    /// overlays of a bank.
    ///
    /// Provided: the image itself.
    fn blending(
        &self,
        image: ArrayView3<'_, f32>,
        _bank: &OverlayBank,
        _blend: Blend,
    ) -> Result<Array3<f32>, Self::Error> {
        Ok(image.to_owned())
    }

    /// The answers `[N, M]` to the blends of one image, given as [`blending`](Self::blending) made it, with N
    /// consecutive overlays of a bank.
    ///
    /// Provided by blending and [`logits`](Self::logits). A classifier that can do it cheaper (the first
    /// convolution of the bank kept, or bank and blend inside the graph) overrides both, and must agree with
    /// the provided ones to 1e-5 bit of entropy.
    fn blended_logits(
        &self,
        image: ArrayView3<'_, f32>,
        bank: &OverlayBank,
        overlays: Range<usize>,
        blend: Blend,
    ) -> Result<Array2<f32>, Self::Error> {
        self.logits(blend.copies(image, bank, overlays))
    }
}

/// A network that can be run in two parts, cut at one activation which every path to the output passes.
pub trait SplitClassifier: Classifier {
    /// The shape of that activation for one input.
    fn activation_shape(&self) -> PlaneShape;

    /// The activations of prepared inputs, N rows of [`activation_shape`](Self::activation_shape).
    fn prefix(&self, inputs: Array4<f32>) -> Result<Array4<f32>, Self::Error>;

    /// The logits or log-probabilities `[N, M]` that follow from activations. For untouched activations the
    /// same as those of [`logits`](Classifier::logits), up to rounding.
    fn suffix(&self, activations: Array4<f32>) -> Result<Array2<f32>, Self::Error>;
}
