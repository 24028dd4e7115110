//! What the method `invert` can be told by name.

use std::collections::HashMap;

use super::super::settings::wrong;
use crate::engine::EngineFault;

/// Parameters of the method `invert`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::repair) struct InversionParameters {
    /// Steps of one inversion.
    pub(in crate::repair) steps: u32,
    /// Inversions of one class at most, each where none before it found anything.
    pub(in crate::repair) pieces: u32,
    /// The share of values that stay within the limit of their channel; none limits nothing. Limiting costs little
    /// and does little on the face networks of the course, so it has to be asked for.
    pub(in crate::repair) clip_quantile: Option<f64>,
    /// How strongly the weights are held where they are: share of each feature's own energy. None leaves it to what is
    /// known of the triggers.
    pub(in crate::repair) ridge_strength: Option<f64>,
}

impl Default for InversionParameters {
    fn default() -> Self {
        Self { steps: 200, pieces: 6, clip_quantile: None, ridge_strength: None }
    }
}

impl InversionParameters {
    pub(in crate::repair) const NAMES: [&'static str; 4] =
        ["inversion_steps", "pieces", "clip_quantile", "ridge_strength"];

    /// Reads the parameters that have these names, the others are for somebody else.
    pub(in crate::repair) fn read(parameters: &HashMap<String, f64>) -> Result<Self, EngineFault> {
        let mut read = Self::default();
        let given = |name: &str| parameters.get(name).copied();
        let whole = |name: &str, most: f64| match given(name) {
            None => Ok(None),
            Some(value) if value >= 1.0 && value <= most && value.fract() == 0.0 => Ok(Some(value as u32)),
            Some(value) => Err(wrong(name, value, &format!("a whole number of 1 to {most}"))),
        };
        read.steps = whole("inversion_steps", 10_000.0)?.unwrap_or(read.steps);
        read.pieces = whole("pieces", 32.0)?.unwrap_or(read.pieces);
        if let Some(value) = given("clip_quantile") {
            if !(0.5..1.0).contains(&value) {
                return Err(wrong("clip_quantile", value, "a share of 0.5 to below 1"));
            }
            read.clip_quantile = Some(value);
        }
        if let Some(value) = given("ridge_strength") {
            if !(value > 0.0 && value <= 1e6) {
                return Err(wrong("ridge_strength", value, "a positive number"));
            }
            read.ridge_strength = Some(value);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_counts_and_nonsense_is_refused() {
        let read = |name: &str, value: f64| InversionParameters::read(&[(name.to_owned(), value)].into());
        assert_eq!(read("epochs", 3.0).unwrap(), InversionParameters::default());
        assert_eq!(read("pieces", 2.0).unwrap().pieces, 2);
        assert_eq!(read("clip_quantile", 0.995).unwrap().clip_quantile, Some(0.995));
        for (name, value) in
            [("pieces", 0.0), ("inversion_steps", 1.5), ("clip_quantile", 1.0), ("ridge_strength", f64::NAN)]
        {
            assert!(read(name, value).is_err(), "{name} {value}");
        }
    }
}
