//! A network's answers, checked once: margins, entropies and classes are read off them.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use ndarray::{Array2, ArrayView1, ArrayView2};

/// Why a network's answers cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LogitsError {
    /// The block of answers has another shape than the inputs ask for.
    #[error(
        "the network answered {rows} rows of {classes} classes where {expected_rows} of \
         {expected_classes} were due"
    )]
    Shape {
        /// Rows due.
        expected_rows: usize,
        /// Classes due.
        expected_classes: usize,
        /// Rows that came.
        rows: usize,
        /// Classes that came.
        classes: usize,
    },
    /// With fewer than two classes there is nothing to tell apart.
    #[error("a network with {classes} classes cannot be watched: it takes two")]
    Classes {
        /// Classes of the network.
        classes: usize,
    },
    /// An answer is NaN or infinite.
    #[error(
        "the network answered {value} for class {class} of row {row}: the answer of a sound network is finite"
    )]
    NotFinite {
        /// Row in the block.
        row: usize,
        /// Class.
        class: usize,
        /// What it said.
        value: f32,
    },
    /// A number is no probability.
    #[error(
        "the network answered {value} for class {class} of row {row}, which is no probability; register \
         it with logits"
    )]
    NotAProbability {
        /// Row in the block.
        row: usize,
        /// Class.
        class: usize,
        /// What it said.
        value: f32,
    },
}

impl Coded for LogitsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFinite { .. } => ErrorCode::ModelNotFinite,
            Self::Classes { .. } | Self::NotAProbability { .. } => ErrorCode::NotAClassifier,
            Self::Shape { .. } => ErrorCode::EngineFailed,
        }
    }
}

/// Finite logits or log-probabilities `[N, M]` of N rows and M >= 2 classes.
///
/// Everything below depends on differences within a row only, so it does not matter which of the two they
/// are.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits(Array2<f32>);

impl Logits {
    /// Takes a network's answers for `rows` inputs and `classes` classes, if they are that many and finite.
    pub fn new(values: Array2<f32>, rows: usize, classes: usize) -> Result<Self, LogitsError> {
        if classes < 2 {
            return Err(LogitsError::Classes { classes });
        }
        if values.dim() != (rows, classes) {
            let (found_rows, found_classes) = values.dim();
            return Err(LogitsError::Shape {
                expected_rows: rows,
                expected_classes: classes,
                rows: found_rows,
                classes: found_classes,
            });
        }
        // First without leaving early, which the compiler turns into vector instructions.
        if values.fold(true, |finite, value| finite & value.is_finite()) {
            return Ok(Self(values));
        }
        match values.indexed_iter().find(|(_, value)| !value.is_finite()) {
            Some(((row, class), value)) => Err(LogitsError::NotFinite { row, class, value: *value }),
            None => Ok(Self(values)),
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.0.nrows()
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.0.ncols()
    }

    /// The answers `[N, M]`.
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.0.view()
    }

    /// The answer `[M]` to one row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> ArrayView1<'_, f32> {
        self.0.row(row)
    }

    /// The class with the highest answer, the first of equals.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn class(&self, row: usize) -> usize {
        let row = self.0.row(row);
        let (mut best, mut highest) = (0, f32::NEG_INFINITY);
        for (class, value) in row.iter().enumerate() {
            if *value > highest {
                (best, highest) = (class, *value);
            }
        }
        best
    }

    /// By how much `class` leads the best of the others: `z_class - max over c != class of z_c`. Negative
    /// where another class leads.
    ///
    /// # Panics
    /// When there is no such row or class.
    pub fn margin(&self, row: usize, class: usize) -> f64 {
        let row = self.0.row(row);
        let others = row.iter().enumerate().filter(|(other, _)| *other != class);
        let best = others.fold(f32::NEG_INFINITY, |best, (_, value)| best.max(*value));
        f64::from(row[class]) - f64::from(best)
    }

    /// The entropy of the row's softmax in bits, `-sum p log2 p`: never negative, at most `log2 M`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn entropy_bits(&self, row: usize) -> f64 {
        // With d = z - max z and S = sum e^d the entropy is ln S - (sum d e^d) / S nats. Both terms are at
        // least zero whatever the rounding, and a class that e^d cannot tell from zero adds exactly zero.
        let row = self.0.row(row);
        let highest = row.fold(f32::NEG_INFINITY, |highest, value| highest.max(*value));
        let (mut total, mut weighted) = (0.0_f64, 0.0_f64);
        for value in row {
            let below = f64::from(*value) - f64::from(highest);
            let weight = below.exp();
            total += weight;
            weighted += below * weight;
        }
        (total.ln() - weighted / total) * std::f64::consts::LOG2_E
    }
}

/// Log-probabilities of a network that answers probabilities `[N, M]`.
///
/// A probability that was rounded to zero becomes the logarithm of the smallest normal number: its share of
/// an entropy is lost beyond the 36th digit, and margins stay finite. Anything outside 0..1 is refused, with
/// room for the rounding of a softmax.
pub fn log_probabilities(mut probabilities: Array2<f32>) -> Result<Array2<f32>, LogitsError> {
    const ROUNDING: f32 = 1e-3;
    for ((row, class), value) in probabilities.indexed_iter_mut() {
        if !value.is_finite() {
            return Err(LogitsError::NotFinite { row, class, value: *value });
        }
        if *value < -ROUNDING || *value > 1.0 + ROUNDING {
            return Err(LogitsError::NotAProbability { row, class, value: *value });
        }
        *value = value.max(f32::MIN_POSITIVE).ln();
    }
    Ok(probabilities)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;

    fn one(values: &[f32]) -> Logits {
        let row = Array2::from_shape_vec((1, values.len()), values.to_vec()).unwrap();
        Logits::new(row, 1, values.len()).unwrap()
    }

    #[test]
    fn entropies_of_known_laws() {
        assert!((one(&[0.0; 8]).entropy_bits(0) - 3.0).abs() < 1e-15);
        assert_eq!(one(&[0.0, -2000.0]).entropy_bits(0).to_bits(), 0.0_f64.to_bits());
        let quarter = one(&[0.25_f32.ln(), 0.75_f32.ln()]).entropy_bits(0);
        assert!((quarter - 0.811_278_124_459_132_8).abs() < 1e-7);
        assert!((one(&[1000.0, 1000.0]).entropy_bits(0) - 1.0).abs() < 1e-15, "large logits do not overflow");
    }

    #[test]
    fn margins_and_classes() {
        let logits = one(&[1.0, 4.0, 4.0, -2.0]);
        assert_eq!(logits.class(0), 1, "the first of equals");
        assert!(logits.margin(0, 1).abs() < 1e-15);
        assert!((logits.margin(0, 0) + 3.0).abs() < 1e-15);
    }

    #[test]
    fn answers_that_are_not_finite_are_errors() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let refused = Logits::new(array![[0.0, 1.0], [0.0, bad]], 2, 2).unwrap_err();
            assert!(matches!(refused, LogitsError::NotFinite { row: 1, class: 1, .. }));
            assert_eq!(refused.code(), ErrorCode::ModelNotFinite);
        }
        assert!(matches!(Logits::new(array![[0.0, 1.0]], 2, 2), Err(LogitsError::Shape { rows: 1, .. })));
        assert!(matches!(Logits::new(array![[0.0]], 1, 1), Err(LogitsError::Classes { classes: 1 })));
    }

    #[test]
    fn probabilities_become_logits() {
        let logs = log_probabilities(array![[0.25, 0.75, 0.0]]).unwrap();
        let entropy = Logits::new(logs, 1, 3).unwrap().entropy_bits(0);
        assert!((entropy - 0.811_278_124_459_132_8).abs() < 1e-6);
        assert!(matches!(
            log_probabilities(array![[0.5, 3.0]]),
            Err(LogitsError::NotAProbability { class: 1, .. })
        ));
    }

    proptest! {
        #[test]
        fn only_differences_count(values in prop::collection::vec(-30.0_f32..30.0, 2..40), shift in -8_i8..8) {
            let entropy = one(&values).entropy_bits(0);
            prop_assert!(entropy >= 0.0 && entropy <= (values.len() as f64).log2() + 1e-12);
            let shifted: Vec<f32> = values.iter().map(|value| value + f32::from(shift)).collect();
            let (plain, moved) = (one(&values), one(&shifted));
            prop_assert!((entropy - moved.entropy_bits(0)).abs() < 1e-3);
            let class = plain.class(0);
            prop_assert!((plain.margin(0, class) - moved.margin(0, class)).abs() < 1e-4);
            prop_assert!(plain.margin(0, class) >= 0.0);
        }
    }
}
