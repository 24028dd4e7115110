//! Exact levels and shares: 0.01 is one hundredth, not the nearest binary number.
//!
//! A rank such as `floor(0.29 * 100)` comes out as 28 in floating point. Everything that decides about an
//! input is therefore calculated with whole numbers.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

/// Digits after the point that are taken.
const MAX_DIGITS: usize = 18;

/// Why a text or number is no level or share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// It is neither a decimal nor a ratio.
    #[error("{value:?} is no fraction: write it as 0.01 (at most 18 digits) or 1/100")]
    Form {
        /// What was given, shortened.
        value: String,
    },
    /// It is not inside its range.
    #[error("{value} is out of range: {range}")]
    Range {
        /// What was given.
        value: String,
        /// The range.
        range: &'static str,
    },
    /// A product has too many digits to be held exactly.
    #[error("{one} times {other} is too fine to be held exactly: use fewer digits")]
    TooFine {
        /// One factor.
        one: String,
        /// The other.
        other: String,
    },
}

impl Coded for LevelError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Form { .. } | Self::Range { .. } | Self::TooFine { .. } => ErrorCode::InvalidField,
        }
    }
}

/// An exact part of a whole, above 0 and at most 1: a detector's share of an error budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share {
    /// Reduced: no common divisor with the denominator.
    numerator: u64,
    denominator: u64,
}

impl Share {
    /// The whole.
    pub const WHOLE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator / denominator`.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, LevelError> {
        if numerator == 0 || numerator > denominator {
            let value = format!("{numerator}/{denominator}");
            return Err(LevelError::Range { value, range: "a share is above 0 and at most 1" });
        }
        let divisor = greatest_common_divisor(numerator.into(), denominator.into()) as u64;
        Ok(Self { numerator: numerator / divisor, denominator: denominator / divisor })
    }

    /// The product, if it can be held exactly.
    pub fn times(self, other: Self) -> Result<Self, LevelError> {
        let numerator = u128::from(self.numerator) * u128::from(other.numerator);
        let denominator = u128::from(self.denominator) * u128::from(other.denominator);
        Self::from_wide(numerator, denominator)
            .ok_or_else(|| LevelError::TooFine { one: self.to_string(), other: other.to_string() })
    }

    /// The nearest binary number, for tables and figures.
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Numerator and denominator without common divisor.
    pub const fn ratio(self) -> (u64, u64) {
        (self.numerator, self.denominator)
    }

    /// The share with this ratio, if reduced it fits and is one.
    pub(crate) fn from_wide(numerator: u128, denominator: u128) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator);
        let numerator = u64::try_from(numerator.checked_div(divisor)?).ok()?;
        let denominator = u64::try_from(denominator.checked_div(divisor)?).ok()?;
        Self::new(numerator, denominator).ok()
    }

    /// The share a binary number was most likely typed as: the shortest decimal that rounds to it.
    pub fn from_shortest_decimal(value: f64) -> Result<Self, LevelError> {
        value.to_string().parse()
    }
}

/// Euclid's.
pub(crate) const fn greatest_common_divisor(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

impl FromStr for Share {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        let form = || LevelError::Form { value: text.chars().take(40).collect() };
        let whole_number = |digits: &str| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if all_digits { digits.parse::<u64>().ok() } else { None }
        };
        let (numerator, denominator) = if let Some((numerator, denominator)) = text.split_once('/') {
            (whole_number(numerator).ok_or_else(form)?, whole_number(denominator).ok_or_else(form)?)
        } else {
            let (whole, digits) = text.split_once('.').unwrap_or((text, "0"));
            if digits.is_empty() || digits.len() > MAX_DIGITS || whole.len() > 1 {
                return Err(form());
            }
            let unit = 10_u64.pow(digits.len() as u32);
            let whole = if whole.is_empty() { 0 } else { whole_number(whole).ok_or_else(form)? };
            let part = whole_number(digits).ok_or_else(form)?;
            (whole.checked_mul(unit).and_then(|whole| whole.checked_add(part)).ok_or_else(form)?, unit)
        };
        Self::new(numerator, denominator).map_err(|error| match error {
            LevelError::Range { range, .. } => LevelError::Range { value: text.to_owned(), range },
            other => other,
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places =
            (0..=MAX_DIGITS).find(|places| 10_u64.pow(*places as u32).is_multiple_of(self.denominator));
        match places {
            Some(0) => write!(formatter, "{}", self.numerator),
            Some(places) => {
                let scaled = self.numerator * (10_u64.pow(places as u32) / self.denominator);
                write!(formatter, "0.{scaled:0places$}")
            }
            None => write!(formatter, "{}/{}", self.numerator, self.denominator),
        }
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let own = u128::from(self.numerator) * u128::from(other.denominator);
        own.cmp(&(u128::from(other.numerator) * u128::from(self.denominator)))
    }
}

impl TryFrom<String> for Share {
    type Error = LevelError;

    fn try_from(text: String) -> Result<Self, LevelError> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

/// An exact error level, strictly between 0 and 1: a promised false rejection rate, or a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Level(Share);

impl Level {
    /// `numerator / denominator`.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, LevelError> {
        Self::try_from(Share::new(numerator, denominator)?)
    }

    /// The level a binary number was most likely typed as: the shortest decimal that rounds to it.
    pub fn from_shortest_decimal(value: f64) -> Result<Self, LevelError> {
        Self::try_from(Share::from_shortest_decimal(value)?)
    }

    /// The part of this level that a share of it is.
    pub fn part(self, share: Share) -> Result<Self, LevelError> {
        self.0.times(share).map(Self)
    }

    /// The level as a share.
    pub const fn share(self) -> Share {
        self.0
    }

    /// The nearest binary number, for tables and figures.
    pub fn as_f64(self) -> f64 {
        self.0.as_f64()
    }

    /// k = floor(level x (m + 1)) for m calibration inputs: how many of m + 1 exchangeable inputs the level
    /// allows to be rejected.
    pub fn rank(self, calibration: usize) -> usize {
        let (numerator, denominator) = self.0.ratio();
        (u128::from(numerator) * (calibration as u128 + 1) / u128::from(denominator)) as usize
    }

    /// The smallest m for which [`rank`](Self::rank) reaches `rank`.
    pub fn calibration_for(self, rank: usize) -> usize {
        let (numerator, denominator) = self.0.ratio();
        let inputs = (u128::from(denominator) * rank as u128).div_ceil(u128::from(numerator));
        usize::try_from(inputs.saturating_sub(1)).unwrap_or(usize::MAX)
    }
}

impl TryFrom<Share> for Level {
    type Error = LevelError;

    fn try_from(share: Share) -> Result<Self, LevelError> {
        if share == Share::WHOLE {
            let range = "a level is above 0 and below 1";
            return Err(LevelError::Range { value: share.to_string(), range });
        }
        Ok(Self(share))
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        Self::try_from(text.parse::<Share>()?)
    }
}

impl TryFrom<String> for Level {
    type Error = LevelError;

    fn try_from(text: String) -> Result<Self, LevelError> {
        text.parse()
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.to_string()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn level(text: &str) -> Level {
        text.parse().unwrap()
    }

    #[test]
    fn texts_are_exact() {
        assert_eq!(level("0.01").share().ratio(), (1, 100));
        assert_eq!(level("2/6").to_string(), "1/3");
        for text in ["0.01", "0.005", "0.5", "0.000000000000000001", "1/3", "5/7"] {
            assert_eq!(level(text).to_string(), text);
        }
        assert_eq!("1".parse::<Share>().unwrap(), Share::WHOLE);
        assert_eq!(Level::from_shortest_decimal(0.07).unwrap(), level("0.07"));
        for bad in [
            "0", "0.0", "1", "1.0", "1.5", "-0.1", "+0.1", "", ".", "0.", "1e-3", "a", "1/0", "0/5", "7/5",
            "NaN", "00.1",
        ] {
            assert!(bad.parse::<Level>().is_err(), "{bad:?} must be refused");
        }
        for bad in [f64::NAN, f64::INFINITY, -0.1, 0.0, 1e-300] {
            assert!(Level::from_shortest_decimal(bad).is_err());
        }
    }

    #[test]
    fn ranks_have_no_rounding() {
        assert_eq!((0.29_f64 * 100.0).floor() as usize, 28, "what floating point would say");
        assert_eq!(level("0.29").rank(99), 29);
        assert_eq!(level("0.01").rank(99), 1);
        assert_eq!(level("0.01").rank(98), 0);
        assert_eq!(level("0.01").calibration_for(1), 99);
        assert_eq!(level("1/300").calibration_for(1), 299);
        assert_eq!(level("0.05").calibration_for(1), 19);
    }

    #[test]
    fn shares_of_levels() {
        let half = Share::new(1, 2).unwrap();
        assert_eq!(level("0.01").part(half).unwrap(), level("0.005"));
        let fine = Share::new(1, u64::MAX).unwrap();
        assert!(matches!(fine.times(half), Err(LevelError::TooFine { .. })));
        assert!(level("0.3") < level("1/3"));
    }

    proptest! {
        #[test]
        fn the_smallest_calibration_is_the_smallest(numerator in 1_u64..50, more in 1_u64..5000, rank in 1_usize..40) {
            let level = Level::new(numerator, numerator + more).unwrap();
            let smallest = level.calibration_for(rank);
            prop_assert!(level.rank(smallest) >= rank);
            if smallest > 0 {
                prop_assert!(level.rank(smallest - 1) < rank);
            }
            prop_assert_eq!(level.to_string().parse::<Level>().unwrap(), level);
        }
    }
}
