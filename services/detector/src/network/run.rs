//! One piece of work on a network: who asked for it, and how long they are willing to wait.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::blend::Blend;
use gifthorse_defence::input::PlaneShape;
use gifthorse_defence::{Classifier, SplitClassifier};
use gifthorse_engine::EngineError;
use ndarray::{Array2, Array3, Array4, ArrayView3};
use tokio_util::sync::CancellationToken;

use super::networks::Watched;

/// Why a network could not be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum RunError {
    /// The engine failed or refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Nobody waits for the answer any more.
    #[error("the caller went away before the work was done")]
    Cancelled,
    /// The caller's time ran out.
    #[error("the request's deadline passed before the work was done: give it more time")]
    Late,
    /// The network cannot be run in two parts.
    #[error("the network of {model} cannot be cut: {reason}; use detectors that need no layer")]
    NoCut {
        /// The version.
        model: String,
        /// Why.
        reason: String,
    },
    /// A linked network's server failed or refused.
    #[error("{message}")]
    Remote {
        /// Its code.
        code: ErrorCode,
        /// What it said.
        message: String,
    },
    /// An answer has another form than the network's record says.
    #[error("the network of {model} answered {found} where {expected} was due: import it again")]
    Answer {
        /// The version.
        model: String,
        /// What was due.
        expected: String,
        /// What came.
        found: String,
    },
    /// The first convolution overflows.
    #[error("the first convolution of {model} makes {value} of an input: its numbers must be finite")]
    NotFinite {
        /// The version.
        model: String,
        /// NaN or an infinity.
        value: f32,
    },
}

impl Coded for RunError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Engine(error) => error.code(),
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Late => ErrorCode::DeadlineExceeded,
            Self::NoCut { .. } => ErrorCode::InvalidField,
            Self::Remote { code, .. } => *code,
            Self::Answer { .. } => ErrorCode::EngineFailed,
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Engine(error) => error.facts(),
            _ => Vec::new(),
        }
    }
}

/// How long work is worth doing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience {
    /// When the caller gives up.
    pub(crate) deadline: Option<Instant>,
    /// Cancelled when the caller has gone.
    pub(crate) gone: CancellationToken,
}

impl Patience {
    /// Refuses work that nobody waits for.
    pub(crate) fn check(&self) -> Result<(), RunError> {
        if self.gone.is_cancelled() {
            Err(RunError::Cancelled)
        } else if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            Err(RunError::Late)
        } else {
            Ok(())
        }
    }
}

/// A network as one piece of work sees it. Looked at before every batch, so that work whose caller went away
/// ends there.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The network.
    pub(crate) network: Arc<Watched>,
    /// Until when.
    pub(crate) patience: Patience,
}

impl Run {
    /// Work without a deadline that ends when the token is cancelled.
    pub(crate) fn until(network: Arc<Watched>, gone: CancellationToken) -> Self {
        Self { network, patience: Patience { deadline: None, gone } }
    }
}

impl Classifier for Run {
    type Error = RunError;

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn max_rows(&self) -> NonZeroUsize {
        self.network.max_rows()
    }

    fn logits(&self, inputs: Array4<f32>) -> Result<Array2<f32>, RunError> {
        self.patience.check()?;
        self.network.logits(inputs, &self.patience)
    }

    fn blending(
        &self,
        image: ArrayView3<'_, f32>,
        bank: &OverlayBank,
        blend: Blend,
    ) -> Result<Array3<f32>, RunError> {
        self.patience.check()?;
        self.network.blending(&image, bank, blend, &self.patience)
    }

    fn blended_logits(
        &self,
        image: ArrayView3<'_, f32>,
        bank: &OverlayBank,
        overlays: Range<usize>,
        blend: Blend,
    ) -> Result<Array2<f32>, RunError> {
        self.patience.check()?;
        self.network.blended(&image, bank, overlays, blend, &self.patience)
    }
}

impl SplitClassifier for Run {
    fn activation_shape(&self) -> PlaneShape {
        self.network.activation_shape()
    }

    fn prefix(&self, inputs: Array4<f32>) -> Result<Array4<f32>, RunError> {
        self.patience.check()?;
        self.network.prefix(inputs, &self.patience)
    }

    fn suffix(&self, activations: Array4<f32>) -> Result<Array2<f32>, RunError> {
        self.patience.check()?;
        self.network.suffix(activations, &self.patience)
    }
}
