//! Damaged files, as many as asked for and the same each time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// One way to damage a file.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    /// The file ends here.
    Truncate(Index),
    /// One bit is turned.
    FlipBit(Index, u8),
    /// Bytes are overwritten: lengths, offsets and counts become huge, or anything.
    Overwrite(Index, Vec<u8>),
    /// Bytes are gone, and what follows has moved.
    Remove(Index, usize),
    /// Bytes are there twice.
    Repeat(Index, usize),
}

impl Damage {
    fn apply(&self, file: &mut Vec<u8>) {
        if file.is_empty() {
            return;
        }
        let stretch = |at: &Index, length: usize| {
            let from = at.index(file.len());
            from..file.len().min(from + length)
        };
        match self {
            Self::Truncate(at) => file.truncate(at.index(file.len())),
            Self::FlipBit(at, bit) => {
                let at = at.index(file.len());
                file[at] ^= 1 << (bit % 8);
            }
            Self::Overwrite(at, bytes) => {
                let range = stretch(at, bytes.len());
                let length = range.len();
                file[range].copy_from_slice(&bytes[..length]);
            }
            Self::Remove(at, length) => {
                file.drain(stretch(at, *length));
            }
            Self::Repeat(at, length) => {
                let range = stretch(at, *length);
                let piece = file[range.clone()].to_vec();
                file.splice(range.start..range.start, piece);
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let bytes = prop_oneof![
        Just(vec![0xFF; 4]),
        Just(vec![0xFF; 8]),
        Just(vec![0; 8]),
        Just(vec![0xFF, 0xFF, 0xFF, 0x7F]),
        vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        2 => at().prop_map(Damage::Truncate),
        5 => (at(), any::<u8>()).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        3 => (at(), bytes).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        1 => (at(), 1..64_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => (at(), 1..64_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

/// `count` damaged copies of `file`, and what was done to each.
pub(crate) fn damaged(file: &[u8], count: usize) -> Vec<(Vec<Damage>, Vec<u8>)> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, b"look a gift model in the mouth..");
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let strategy = vec(damage(), 1..4);
    let copies = std::iter::repeat_with(|| {
        let damages = strategy.new_tree(&mut runner).expect("nothing is filtered out").current();
        let mut copy = file.to_vec();
        for damage in &damages {
            damage.apply(&mut copy);
        }
        (damages, copy)
    });
    copies.take(count).collect()
}
