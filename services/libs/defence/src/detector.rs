//! What all detectors have in common: a score from a bounded number of forward passes.

use std::iter::Sum;
use std::ops::Add;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array1, Array3, ArrayView3, ArrayView4, Axis};

use crate::classifier::Classifier;
use crate::forward;
use crate::logits::LogitsError;
use crate::region::Evidence;
use crate::strip::Votes;

/// Why an input could not be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DetectionError<E> {
    /// The network could not be run.
    #[error(transparent)]
    Classifier(E),
    /// The network's answers cannot be used.
    #[error(transparent)]
    Logits(#[from] LogitsError),
    /// The input has another shape than the detector was made for.
    #[error("the input has the shape {found:?}, the detector was made for {expected:?}")]
    InputShape {
        /// Shape of the bank's images.
        expected: Vec<usize>,
        /// Shape of the input.
        found: Vec<usize>,
    },
    /// The activations have another shape than the detector was made for.
    #[error(
        "the activations at the cut have the shape {found:?} where {expected:?} was due: make the \
         detector anew for this network"
    )]
    ActivationShape {
        /// Shape due.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// The activations are NaN or infinite.
    #[error("the activations at the cut come to {value}: those of a sound network are finite")]
    ActivationNotFinite {
        /// What they come to.
        value: f64,
    },
    /// The stop rule was made for another number of passes.
    #[error(
        "the early-rejection rule was fitted for {fitted} passes, the detector makes {passes}: fit it to \
         this detector's looks"
    )]
    ForeignRule {
        /// Passes the rule was fitted for.
        fitted: usize,
        /// Passes of the detector.
        passes: usize,
    },
    /// All overlays are of the class the network sees in the input, so no margin can be measured on them.
    #[error(
        "all {overlays} overlays are of class {class}, which the network sees in the input: use a bank of \
         more classes"
    )]
    OneClass {
        /// The class.
        class: usize,
        /// How many overlays or hosts.
        overlays: usize,
    },
}

impl<E: Coded> Coded for DetectionError<E> {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Classifier(error) => error.code(),
            Self::Logits(error) => error.code(),
            Self::InputShape { .. } => ErrorCode::TensorShape,
            Self::ActivationNotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::ActivationShape { .. } | Self::ForeignRule { .. } => ErrorCode::InvalidField,
            Self::OneClass { .. } => ErrorCode::DatasetInvalid,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Classifier(error) => error.field(),
            _ => None,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Classifier(error) => error.facts(),
            _ => Vec::new(),
        }
    }
}

/// What a detector or a policy holds an input for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not rejected.
    Clean,
    /// Rejected.
    Trojaned,
}

/// Forward passes, counted in rows: one row through the whole network, or through one part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passes {
    /// Rows through the whole network.
    pub full: usize,
    /// Rows up to the cut.
    pub prefix: usize,
    /// Rows from the cut on.
    pub suffix: usize,
}

impl Passes {
    /// Rows through the whole network and no others.
    pub const fn full(rows: usize) -> Self {
        Self { full: rows, prefix: 0, suffix: 0 }
    }
}

impl Add for Passes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            full: self.full + other.full,
            prefix: self.prefix + other.prefix,
            suffix: self.suffix + other.suffix,
        }
    }
}

impl Sum for Passes {
    fn sum<I: Iterator<Item = Self>>(passes: I) -> Self {
        passes.fold(Self::default(), Add::add)
    }
}

/// A prepared input and what the network itself answers to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    image: Array3<f32>,
    answer: Array1<f32>,
    class: usize,
}

impl Subject {
    /// The subjects of prepared inputs `[N, ...]`: one pass of the network each.
    pub fn of<C: Classifier + ?Sized>(
        classifier: &C,
        inputs: ArrayView4<'_, f32>,
    ) -> Result<Vec<Self>, DetectionError<C::Error>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let answers = forward::logits(classifier, inputs.as_standard_layout().into_owned())?;
        let subjects = inputs.axis_iter(Axis(0)).enumerate().map(|(row, image)| Self {
            image: image.as_standard_layout().into_owned(),
            answer: answers.row(row).to_owned(),
            class: answers.class(row),
        });
        Ok(subjects.collect())
    }

    /// The prepared input.
    pub fn image(&self) -> ArrayView3<'_, f32> {
        self.image.view()
    }

    /// The network's logits or log-probabilities `[M]`.
    pub const fn answer(&self) -> &Array1<f32> {
        &self.answer
    }

    /// y', the class the network sees: the first of the highest.
    pub const fn class(&self) -> usize {
        self.class
    }
}

/// What a detector read off one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The score, always finite: low = trojaned.
    pub score: f64,
    /// Passes it took; the one that gave the network's own answer is not counted.
    pub passes: Passes,
    /// Where in the input the evidence lies, from detectors that look at places.
    pub evidence: Option<Evidence>,
    /// The running score at each look of a sequential detector, the last being `score`; empty from others.
    pub prefix_means: Vec<f64>,
    /// What the network saw in the blended copies, from detectors that blend.
    pub votes: Option<Votes>,
}

impl Reading {
    pub(crate) const fn new(score: f64, passes: Passes) -> Self {
        Self { score, passes, evidence: None, prefix_means: Vec::new(), votes: None }
    }
}

/// A fixed function from inputs to scores, **low = trojaned**, in a bounded number of forward passes.
///
/// Everything chance had a part in (overlays, masks) was drawn before: the same input has the same score for
/// ever, which is what a calibration rests on.
pub trait Detector<C: Classifier + ?Sized>: Send + Sync {
    /// Passes that one reading takes at most.
    fn passes(&self) -> Passes;

    /// Scores one input.
    fn read(&self, classifier: &C, subject: &Subject) -> Result<Reading, DetectionError<C::Error>>;

    /// Scores inputs `[N, ...]` one after the other, with one pass each for the network's own answers.
    fn read_all(
        &self,
        classifier: &C,
        inputs: ArrayView4<'_, f32>,
    ) -> Result<Vec<Reading>, DetectionError<C::Error>> {
        Subject::of(classifier, inputs)?.iter().map(|subject| self.read(classifier, subject)).collect()
    }
}
