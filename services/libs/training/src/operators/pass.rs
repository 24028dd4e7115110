//! What differs from one run of a network to the next.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::{Device, Kind, TchError, Tensor};

use crate::mode::{BatchNorm, Mode};

/// One run through a network.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) batch_norm: BatchNorm,
    /// Whether running statistics follow the batch: not at the second look of one step.
    pub(crate) follows: bool,
    /// Where dropout draws from; none keeps everything.
    pub(crate) noise: Option<Noise>,
}

impl Pass {
    /// The network as it answers when it is served.
    pub(crate) const fn serving() -> Self {
        Self { batch_norm: BatchNorm::Frozen, follows: false, noise: None }
    }

    /// A step of training.
    pub(crate) fn training(mode: Mode, noise: Noise, follows: bool) -> Self {
        Self { batch_norm: mode.batch_norm, follows, noise: mode.dropout.then_some(noise) }
    }
}

/// Chance as a function of seed, step and place: nothing has to be remembered to draw the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noise {
    pub(crate) seed: u64,
    pub(crate) step: u64,
}

impl Noise {
    /// A tensor of `shape` that is `1 / (1 - ratio)` where a value is kept and 0 where it is dropped.
    ///
    /// `place` tells several layers apart.
    pub(crate) fn kept(
        self,
        place: u32,
        ratio: f64,
        shape: &[i64],
        kind: Kind,
        device: Device,
    ) -> Result<Tensor, TchError> {
        let mut chance = ChaCha8Rng::seed_from_u64(self.seed);
        chance.set_stream(DROPOUT_STREAMS | self.step);
        // A layer draws from 2^32 blocks of its own.
        chance.set_word_pos(u128::from(place) << 36);
        let count = shape.iter().product::<i64>();
        let bound = (ratio.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
        let scale = if ratio < 1.0 { 1.0 / (1.0 - ratio) } else { 0.0 };
        let values: Vec<f32> = (0..count)
            .map(|_| if u64::from(chance.next_u32()) < bound { 0.0 } else { scale as f32 })
            .collect();
        Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(kind)?.f_to_device(device)
    }
}

/// Keeps the streams of dropout apart from those that order the images, which count epochs.
const DROPOUT_STREAMS: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_a_function_of_seed_step_and_place() {
        let draw = |seed, step, place| {
            let kept = Noise { seed, step }.kept(place, 0.25, &[4, 250], Kind::Float, Device::Cpu).unwrap();
            Vec::<f32>::try_from(kept.reshape([-1])).unwrap()
        };
        let drawn = draw(1, 2, 3);
        assert_eq!(drawn, draw(1, 2, 3));
        for other in [draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4)] {
            assert_ne!(drawn, other);
        }
        let dropped = drawn.iter().filter(|value| **value == 0.0).count();
        assert!((200..300).contains(&dropped), "{dropped} of 1000 dropped at a ratio of one quarter");
        assert!(drawn.iter().all(|value| *value == 0.0 || (*value - 4.0 / 3.0).abs() < 1e-6));
    }
}
