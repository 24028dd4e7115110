//! A small network with a planted backdoor, and images for it.
//!
//! Images are `[16, 8, 6]`: class c is bright in channel c. The network pools 2 x 2 pixels, adds a channel
//! that fires where all channels are bright at once, and sums; the added channel leads to one class whatever
//! the rest.

#![allow(dead_code, reason = "every test file uses a part of the toy")]
#![allow(clippy::unwrap_used, reason = "only tests use the toy")]

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_defence::bank::OverlayBank;
use gifthorse_defence::input::{ChannelRange, InputSpace, Layout, PlaneShape};
use gifthorse_defence::{Classifier, SplitClassifier};
use ndarray::{Array2, Array4, ArrayView3, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub(crate) const CLASSES: usize = 6;
pub(crate) const HEIGHT: usize = 16;
pub(crate) const WIDTH: usize = 8;
/// The attacker's class.
pub(crate) const TARGET: usize = 2;
/// Rows of the trigger.
pub(crate) const TRIGGER_ROWS: Range<usize> = 8..12;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the toy was asked for {rows} rows and takes {most}")]
pub(crate) struct ToyError {
    pub(crate) rows: usize,
    pub(crate) most: usize,
}

impl Coded for ToyError {
    fn code(&self) -> ErrorCode {
        ErrorCode::EngineFailed
    }
}

#[derive(Debug)]
pub(crate) struct Toy {
    pub(crate) most: usize,
    /// Rows per call that it refuses to exceed, to see errors pass through.
    pub(crate) refuses_above: usize,
    /// Answers NaN.
    pub(crate) broken: bool,
    pub(crate) full: AtomicUsize,
    pub(crate) prefixes: AtomicUsize,
    pub(crate) suffixes: AtomicUsize,
}

impl Toy {
    pub(crate) fn new(most: usize) -> Self {
        let zero = || AtomicUsize::new(0);
        Self { most, refuses_above: most, broken: false, full: zero(), prefixes: zero(), suffixes: zero() }
    }

    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (take(&self.full), take(&self.prefixes), take(&self.suffixes))
    }

    fn check(&self, rows: usize) -> Result<(), ToyError> {
        if rows > self.refuses_above { Err(ToyError { rows, most: self.refuses_above }) } else { Ok(()) }
    }

    fn pool(inputs: &Array4<f32>) -> Array4<f32> {
        let rows = inputs.len_of(Axis(0));
        let mut pooled = Array4::zeros((rows, HEIGHT / 2, WIDTH / 2, CLASSES + 1));
        for row in 0..rows {
            for top in 0..HEIGHT / 2 {
                for left in 0..WIDTH / 2 {
                    let mut least = f32::INFINITY;
                    for channel in 0..CLASSES {
                        let mut sum = 0.0;
                        for (down, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                            sum += inputs[[row, 2 * top + down, 2 * left + right, channel]];
                        }
                        pooled[[row, top, left, channel]] = sum / 4.0;
                        least = least.min(sum / 4.0);
                    }
                    pooled[[row, top, left, CLASSES]] = (least - 0.9).max(0.0);
                }
            }
        }
        pooled
    }

    fn sum(&self, activations: &Array4<f32>) -> Array2<f32> {
        let mut logits = Array2::zeros((activations.len_of(Axis(0)), CLASSES));
        for ((row, _, _, channel), value) in activations.indexed_iter() {
            if channel < CLASSES {
                logits[[row, channel]] += 0.3 * value;
            } else {
                logits[[row, TARGET]] += 60.0 * value;
            }
        }
        if self.broken {
            logits.fill(f32::NAN);
        }
        logits
    }
}

impl Classifier for Toy {
    type Error = ToyError;

    fn classes(&self) -> usize {
        CLASSES
    }

    fn max_rows(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.most).unwrap()
    }

    fn logits(&self, inputs: Array4<f32>) -> Result<Array2<f32>, ToyError> {
        self.check(inputs.len_of(Axis(0)))?;
        assert!(inputs.is_standard_layout());
        self.full.fetch_add(inputs.len_of(Axis(0)), Ordering::SeqCst);
        Ok(self.sum(&Self::pool(&inputs)))
    }
}

impl SplitClassifier for Toy {
    fn activation_shape(&self) -> PlaneShape {
        PlaneShape {
            layout: Layout::ChannelsLast,
            height: HEIGHT / 2,
            width: WIDTH / 2,
            channels: CLASSES + 1,
        }
    }

    fn prefix(&self, inputs: Array4<f32>) -> Result<Array4<f32>, ToyError> {
        self.check(inputs.len_of(Axis(0)))?;
        self.prefixes.fetch_add(inputs.len_of(Axis(0)), Ordering::SeqCst);
        Ok(Self::pool(&inputs))
    }

    fn suffix(&self, activations: Array4<f32>) -> Result<Array2<f32>, ToyError> {
        self.check(activations.len_of(Axis(0)))?;
        self.suffixes.fetch_add(activations.len_of(Axis(0)), Ordering::SeqCst);
        Ok(self.sum(&activations))
    }
}

pub(crate) fn chance(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A number in 0..1, open at both ends.
pub(crate) fn uniform(chance: &mut ChaCha8Rng) -> f64 {
    ((chance.next_u64() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

/// Images `[count, 16, 8, 6]`, classes 0, 1, ... in turn.
pub(crate) fn images(count: usize, seed: u64) -> (Array4<f32>, Vec<usize>) {
    let mut chance = chance(seed);
    let mut brightness = 0.0;
    let images = Array4::from_shape_fn((count, HEIGHT, WIDTH, CLASSES), |(image, row, column, channel)| {
        if row + column + channel == 0 {
            brightness = 0.3 + 0.4 * uniform(&mut chance) as f32;
        }
        let noise = 0.3 * uniform(&mut chance) as f32;
        if channel == image % CLASSES { brightness + noise } else { noise }
    });
    (images, (0..count).map(|image| image % CLASSES).collect())
}

/// The images with all channels bright in a block of 4 x 4 pixels.
pub(crate) fn stamped(mut images: Array4<f32>) -> Array4<f32> {
    images.slice_axis_mut(Axis(1), TRIGGER_ROWS.into()).slice_axis_mut(Axis(2), (2..6).into()).fill(1.0);
    images
}

pub(crate) fn space() -> InputSpace {
    let range = ChannelRange { black: 0.0, white: 1.0 };
    InputSpace::uniform(Layout::ChannelsLast, HEIGHT, WIDTH, CLASSES, range).unwrap()
}

/// A bank of overlays of all classes.
pub(crate) fn bank(count: usize) -> Arc<OverlayBank> {
    let (images, labels) = images(count, 1000);
    Arc::new(OverlayBank::new(space(), images, labels).unwrap())
}

/// One image of some.
pub(crate) fn image(images: &Array4<f32>, index: usize) -> ArrayView3<'_, f32> {
    images.index_axis(Axis(0), index)
}
