//! Running a network on any number of rows, and checking what comes back.

use std::ops::Range;

use ndarray::{Array2, Array3, Array4, ArrayView3, ArrayView4, Axis};

use crate::bank::OverlayBank;
use crate::blend::Blend;
use crate::classifier::{Classifier, SplitClassifier};
use crate::detector::DetectionError;
use crate::input::PlaneShape;
use crate::logits::Logits;

/// The network's answers to whole inputs.
pub(crate) fn logits<C: Classifier + ?Sized>(
    classifier: &C,
    inputs: Array4<f32>,
) -> Result<Logits, DetectionError<C::Error>> {
    whole_or_pieces(classifier, inputs, |piece| classifier.logits(piece))
}

/// The network's answers to activations at the cut.
pub(crate) fn suffix<C: SplitClassifier + ?Sized>(
    classifier: &C,
    activations: Array4<f32>,
) -> Result<Logits, DetectionError<C::Error>> {
    whole_or_pieces(classifier, activations, |piece| classifier.suffix(piece))
}

/// An image that is blended with the overlays of a bank, some at a time.
pub(crate) struct Blends<'a, C: ?Sized> {
    classifier: &'a C,
    bank: &'a OverlayBank,
    blend: Blend,
    /// As the classifier needs it.
    image: Array3<f32>,
}

impl<'a, C: Classifier + ?Sized> Blends<'a, C> {
    /// The blends of an image, none made yet.
    pub(crate) fn of(
        classifier: &'a C,
        image: ArrayView3<'_, f32>,
        bank: &'a OverlayBank,
        blend: Blend,
    ) -> Result<Self, DetectionError<C::Error>> {
        check_shape(image, bank)?;
        let image = classifier.blending(image, bank, blend).map_err(DetectionError::Classifier)?;
        Ok(Self { classifier, bank, blend, image })
    }

    /// The network's answers to the blends with consecutive overlays.
    pub(crate) fn answers(&self, overlays: Range<usize>) -> Result<Logits, DetectionError<C::Error>> {
        pieces(self.classifier, overlays.len(), |piece| {
            let overlays = overlays.start + piece.start..overlays.start + piece.end;
            self.classifier.blended_logits(self.image.view(), self.bank, overlays, self.blend)
        })
    }
}

/// The activations of inputs at the cut, checked against the shape the classifier promises.
pub(crate) fn prefix<C: SplitClassifier + ?Sized>(
    classifier: &C,
    inputs: ArrayView4<'_, f32>,
) -> Result<Array4<f32>, DetectionError<C::Error>> {
    let [first, second, third] = classifier.activation_shape().axes();
    let mut activations = Array4::zeros((inputs.len_of(Axis(0)), first, second, third));
    let rows = classifier.max_rows().get();
    for (mut due, piece) in
        activations.axis_chunks_iter_mut(Axis(0), rows).zip(inputs.axis_chunks_iter(Axis(0), rows))
    {
        let piece = piece.as_standard_layout().into_owned();
        let found = classifier.prefix(piece).map_err(DetectionError::Classifier)?;
        if found.shape() != due.shape() {
            let (expected, found) = (due.shape().to_vec(), found.shape().to_vec());
            return Err(DetectionError::ActivationShape { expected, found });
        }
        due.assign(&found);
    }
    Ok(activations)
}

/// Refuses an input that cannot be laid over the bank's images.
pub(crate) fn check_shape<E>(
    image: ArrayView3<'_, f32>,
    bank: &OverlayBank,
) -> Result<(), DetectionError<E>> {
    let expected = bank.space().shape().axes();
    if image.shape() == expected {
        Ok(())
    } else {
        Err(DetectionError::InputShape { expected: expected.to_vec(), found: image.shape().to_vec() })
    }
}

/// Refuses a network that is cut elsewhere than the one the detector was made for.
pub(crate) fn check_activation<C: SplitClassifier + ?Sized>(
    classifier: &C,
    due: PlaneShape,
) -> Result<(), DetectionError<C::Error>> {
    let found = classifier.activation_shape();
    if found == due {
        Ok(())
    } else {
        Err(DetectionError::ActivationShape { expected: due.axes().to_vec(), found: found.axes().to_vec() })
    }
}

fn whole_or_pieces<C: Classifier + ?Sized>(
    classifier: &C,
    rows: Array4<f32>,
    run: impl Fn(Array4<f32>) -> Result<Array2<f32>, C::Error>,
) -> Result<Logits, DetectionError<C::Error>> {
    let count = rows.len_of(Axis(0));
    if count <= classifier.max_rows().get() {
        let values = run(rows).map_err(DetectionError::Classifier)?;
        return Ok(Logits::new(values, count, classifier.classes())?);
    }
    pieces(classifier, count, |piece| run(rows.slice_axis(Axis(0), piece.into()).to_owned()))
}

fn pieces<C: Classifier + ?Sized>(
    classifier: &C,
    rows: usize,
    run: impl Fn(Range<usize>) -> Result<Array2<f32>, C::Error>,
) -> Result<Logits, DetectionError<C::Error>> {
    if rows <= classifier.max_rows().get() {
        let values = run(0..rows).map_err(DetectionError::Classifier)?;
        return Ok(Logits::new(values, rows, classifier.classes())?);
    }
    let mut all = Array2::zeros((rows, classifier.classes()));
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + classifier.max_rows().get());
        let values = run(start..end).map_err(DetectionError::Classifier)?;
        let checked = Logits::new(values, end - start, classifier.classes())?;
        all.slice_axis_mut(Axis(0), (start..end).into()).assign(&checked.values());
        start = end;
    }
    Ok(Logits::new(all, rows, classifier.classes())?)
}
