//! Thousands of damaged files: none may crash the import, hang it or make it reserve memory.

use std::time::{Duration, Instant};

use gifthorse_api::catalogue::{Coded, ErrorClass};
use gifthorse_network::onnx::{OnnxOptions, import};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use prost::Message as _;

use crate::samples::{classifier, ending_in};

/// One way to damage a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Everything from here on is gone.
    Cut(Index),
    /// One bit is other.
    Flip(Index, u8),
    /// One byte is other.
    Set(Index, u8),
    /// A piece of the file is written over another place of it.
    Splice { from: Index, to: Index, length: usize },
    /// Bytes are put in.
    Insert(Index, Vec<u8>),
    /// Bytes are taken out.
    Remove { at: Index, length: usize },
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Flip(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Self::Set(at, value) => {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            Self::Splice { from, to, length } => {
                let from = from.index(bytes.len());
                let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                let to = to.index(bytes.len());
                bytes.splice(to..to, piece);
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove { at, length } => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + length).min(bytes.len()));
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        1 => at().prop_map(Damage::Cut),
        4 => (at(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (at(), any::<u8>()).prop_map(|(at, value)| Damage::Set(at, value)),
        2 => (at(), at(), 1..200_usize)
            .prop_map(|(from, to, length)| Damage::Splice { from, to, length }),
        1 => (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => (at(), 1..40_usize).prop_map(|(at, length)| Damage::Remove { at, length }),
    ]
}

/// Imports and asserts what holds for every file, sound or not.
fn assert_handled(bytes: &[u8]) {
    let start = Instant::now();
    match import(bytes, &OnnxOptions::default()) {
        Ok(imported) => {
            let again = import(&imported.onnx, &OnnxOptions::default());
            let again = again.expect("what was imported can be imported again");
            assert_eq!(again.description.classes, imported.description.classes);
        }
        Err(error) => {
            assert_eq!(error.code().class(), ErrorClass::Invalid, "{error}");
            assert!(error.to_string().len() < 10_000);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_171_205),
        ..ProptestConfig::default()
    })]

    #[test]
    fn damaged_files_are_refused_in_order(logits in any::<bool>(), damages in vec(damage(), 1..4)) {
        let model = if logits { ending_in("", Vec::new()) } else { classifier() };
        let mut bytes = model.encode_to_vec();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        assert_handled(&bytes);
    }

    #[test]
    fn noise_is_refused_in_order(bytes in vec(any::<u8>(), 0..400)) {
        assert_handled(&bytes);
    }
}
