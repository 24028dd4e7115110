//! Chance for drawing, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of numbers by lot.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of this number below a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(random)
    }

    /// Evenly between two numbers.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// About normal, mean zero, deviation one: twelve even numbers less six.
    pub(super) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.between(0.0, 1.0)).sum::<f32>() - 6.0
    }

    /// The same from four numbers of sixteen bits: good enough for noise.
    pub(super) fn quick_normal(&mut self) -> f32 {
        let mut bits = self.0.next_u64();
        let mut sum = 0;
        for _ in 0..4 {
            sum += (bits & 0xffff) as u32;
            bits >>= 16;
        }
        // Four even numbers of deviation 2^16 / sqrt(12) each.
        (sum as f32 - 2.0 * 65_535.0) / (65_536.0 / 3.0_f32.sqrt())
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// One of these.
    pub(super) fn one_of<T: Copy>(&mut self, first: T, others: &[T]) -> T {
        let place = self.between(0.0, (others.len() + 1) as f32) as usize;
        place.checked_sub(1).and_then(|place| others.get(place)).copied().unwrap_or(first)
    }

    /// A colour near this one.
    pub(super) fn near(&mut self, colour: [f32; 3], spread: f32) -> [f32; 3] {
        colour.map(|level| (level + self.between(-spread, spread)).clamp(0.0, 255.0))
    }
}
