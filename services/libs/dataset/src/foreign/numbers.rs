//! Labels and groups: columns of whole numbers, whatever type they are stored in.

use crate::canonical::MAX_LABEL;
use crate::error::DatasetError;
use crate::npy::Number;

/// The largest group: any non-negative 64-bit number names one.
const MAX_GROUP: i64 = i64::MAX;
/// Floats tell whole numbers apart up to here.
const MAX_WHOLE_FLOAT: f64 = 9_007_199_254_740_992.0;

/// A column of class or group numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// Classes, 0 to [`MAX_LABEL`].
    Label,
    /// Groups, any non-negative number.
    Group,
}

impl Column {
    /// What one of its numbers is called.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Group => "group",
        }
    }

    const fn max(self) -> i64 {
        match self {
            Self::Label => MAX_LABEL,
            Self::Group => MAX_GROUP,
        }
    }

    /// Checks that an array of this shape has one number for each of `count` images: `(N,)` or `(N, 1)`.
    pub(super) fn check_shape(self, shape: &[u64], count: u64) -> Result<(), DatasetError> {
        let kind = self.kind();
        match *shape {
            [found] | [found, 1] if found == count => Ok(()),
            [found] | [found, 1] => {
                let fault = format!("it has {count} images and {found} {kind}s");
                Err(DatasetError::Inconsistent { fault })
            }
            _ => Err(DatasetError::Inconsistent {
                fault: format!("{kind}s of shape {shape:?}, expected one whole number an image, (N,)"),
            }),
        }
    }

    /// The numbers, if all are whole and in range.
    pub(super) fn whole(self, numbers: impl Iterator<Item = Number>) -> Result<Vec<i64>, DatasetError> {
        numbers
            .enumerate()
            .map(|(row, number)| {
                let (whole, shown) = match number {
                    Number::Whole(whole) => (i64::try_from(whole).ok(), whole.to_string()),
                    Number::Float(float) => {
                        let is_whole = float.fract() == 0.0 && float.abs() <= MAX_WHOLE_FLOAT;
                        (is_whole.then_some(float as i64), float.to_string())
                    }
                };
                let (kind, max) = (self.kind(), self.max());
                whole.filter(|whole| (0..=max).contains(whole)).ok_or(DatasetError::Label {
                    kind,
                    row,
                    value: shown,
                    max,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_any_type_are_labels() {
        let numbers = [Number::Whole(0), Number::Float(7.0), Number::Whole(i128::from(MAX_LABEL))];
        assert_eq!(Column::Label.whole(numbers.into_iter()).unwrap(), [0, 7, MAX_LABEL]);
    }

    #[test]
    fn other_numbers_are_refused_with_their_row() {
        for bad in [
            Number::Whole(-1),
            Number::Whole(i128::from(MAX_LABEL) + 1),
            Number::Whole(i128::from(u64::MAX)),
            Number::Float(1.5),
            Number::Float(f64::NAN),
            Number::Float(f64::INFINITY),
            Number::Float(1e300),
        ] {
            let error = Column::Label.whole([Number::Whole(1), bad].into_iter()).unwrap_err();
            assert!(matches!(error, DatasetError::Label { row: 1, .. }), "{bad:?}: {error}");
        }
        assert!(Column::Group.whole([Number::Whole(i128::from(i64::MAX))].into_iter()).is_ok());
    }

    #[test]
    fn one_number_an_image() {
        assert!(Column::Label.check_shape(&[7], 7).is_ok());
        assert!(Column::Label.check_shape(&[7, 1], 7).is_ok());
        for bad in [&[6][..], &[7, 10], &[], &[8, 1]] {
            assert!(Column::Label.check_shape(bad, 7).is_err(), "{bad:?}");
        }
    }
}
