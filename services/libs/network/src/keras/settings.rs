//! Reading one layer's configuration out of the model description.

use serde_json::{Map, Value};

use super::fault::{damaged, shortened, unsupported};
use super::layer::DataFormat;
use super::padding::Padding;
use crate::NetworkError;

/// The largest number a configuration may give for a size, stride or count of filters.
const LARGEST_SIZE: u64 = 1 << 24;
/// The longest list of numbers in a configuration.
const LONGEST_LIST: usize = 16;

/// The configuration of one layer; every error names the layer and the key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    /// Name of the layer.
    pub(super) layer: &'a str,
    /// Key and value as in the file.
    pub(super) object: &'a Map<String, Value>,
}

impl<'a> Settings<'a> {
    /// The value of a key; none when absent or null.
    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The error that `key` has a value outside its contract.
    pub(super) fn wrong(self, key: &str, expected: &str) -> NetworkError {
        let found = self.get(key).map_or_else(|| "nothing".to_owned(), |value| shortened(&value.to_string()));
        damaged(format!("layer {:?}: {key} must be {expected}, found {found}", shortened(self.layer)))
    }

    /// The error that this value of `key` is sound but not supported.
    pub(super) fn unsupported(self, key: &str, hint: &str) -> NetworkError {
        let found = self.get(key).map_or_else(|| "nothing".to_owned(), |value| shortened(&value.to_string()));
        unsupported(format!("{key} = {found} of layer {:?}", shortened(self.layer)), hint)
    }

    /// A truth value.
    pub(super) fn flag(self, key: &str, default: bool) -> Result<bool, NetworkError> {
        self.get(key)
            .map_or(Ok(default), |value| value.as_bool().ok_or_else(|| self.wrong(key, "true or false")))
    }

    /// A text.
    pub(super) fn text(self, key: &str, default: &'a str) -> Result<&'a str, NetworkError> {
        self.get(key).map_or(Ok(default), |value| value.as_str().ok_or_else(|| self.wrong(key, "a text")))
    }

    /// A finite number, where there is one.
    pub(super) fn optional_number(self, key: &str) -> Result<Option<f32>, NetworkError> {
        self.get(key)
            .map(|value| {
                let number = value.as_f64().map(|number| number as f32).filter(|number| number.is_finite());
                number.ok_or_else(|| self.wrong(key, "a finite number"))
            })
            .transpose()
    }

    /// A finite number.
    pub(super) fn number(self, key: &str, default: f32) -> Result<f32, NetworkError> {
        Ok(self.optional_number(key)?.unwrap_or(default))
    }

    /// A count of at least one.
    pub(super) fn count(self, key: &str) -> Result<usize, NetworkError> {
        self.get(key)
            .and_then(size)
            .filter(|count| *count > 0)
            .ok_or_else(|| self.wrong(key, "a positive number"))
    }

    /// A count of at least one, or the default.
    pub(super) fn count_or(self, key: &str, default: usize) -> Result<usize, NetworkError> {
        if self.get(key).is_some() { self.count(key) } else { Ok(default) }
    }

    /// A list of whole numbers, of which some may be negative.
    pub(super) fn integers(self, key: &str) -> Result<Vec<i64>, NetworkError> {
        let wrong = || self.wrong(key, "a list of whole numbers");
        let items = self.get(key).and_then(items).filter(|items| items.len() <= LONGEST_LIST);
        items.ok_or_else(wrong)?.iter().map(|item| integer(item).ok_or_else(wrong)).collect()
    }

    /// A pair of positive numbers, rows first; one number stands for both.
    pub(super) fn pair(self, key: &str, default: Option<[usize; 2]>) -> Result<[usize; 2], NetworkError> {
        let wrong = || self.wrong(key, "one or two positive numbers");
        let Some(value) = self.get(key) else {
            return default.ok_or_else(wrong);
        };
        let sizes = match items(value) {
            Some([rows, columns]) => size(rows).zip(size(columns)),
            Some([both]) => size(both).map(|both| (both, both)),
            Some(_) => None,
            None => size(value).map(|both| (both, both)),
        };
        let (rows, columns) = sizes.filter(|(rows, columns)| *rows > 0 && *columns > 0).ok_or_else(wrong)?;
        Ok([rows, columns])
    }

    /// Rows and columns at the border, `[[top, bottom], [left, right]]`: one number, a pair or two pairs.
    pub(super) fn borders(self, key: &str, default: usize) -> Result<[[usize; 2]; 2], NetworkError> {
        let wrong = || self.wrong(key, "a number, a pair or two pairs of numbers");
        let Some(value) = self.get(key) else {
            return Ok([[default; 2]; 2]);
        };
        let side = |value: &Value| match items(value) {
            Some([first, last]) => Some([size(first)?, size(last)?]),
            Some(_) => None,
            None => size(value).map(|both| [both; 2]),
        };
        match items(value) {
            Some([rows, columns]) => Some([side(rows).ok_or_else(wrong)?, side(columns).ok_or_else(wrong)?]),
            Some(_) => None,
            None => size(value).map(|all| [[all; 2]; 2]),
        }
        .ok_or_else(wrong)
    }

    /// `valid` or `same`.
    pub(super) fn padding(self) -> Result<Padding, NetworkError> {
        match self.text("padding", "valid")? {
            "valid" => Ok(Padding::Valid),
            "same" => Ok(Padding::Same),
            _ => Err(self.unsupported("padding", "use \"valid\" or \"same\"")),
        }
    }

    /// Where the channels are.
    pub(super) fn data_format(self) -> Result<DataFormat, NetworkError> {
        match self.text("data_format", "channels_last")? {
            "channels_last" => Ok(DataFormat::ChannelsLast),
            "channels_first" => Ok(DataFormat::ChannelsFirst),
            _ => Err(self.wrong("data_format", "channels_last or channels_first")),
        }
    }

    /// One axis: a number, or a list with one number as older files have it.
    pub(super) fn axis(self, default: i64) -> Result<i64, NetworkError> {
        let Some(value) = self.get("axis") else {
            return Ok(default);
        };
        match items(value) {
            Some([axis]) => integer(axis).ok_or_else(|| self.wrong("axis", "a whole number")),
            Some(_) => Err(self.unsupported("axis", "use one axis")),
            None => integer(value).ok_or_else(|| self.wrong("axis", "a whole number")),
        }
    }

    /// The shape of the batch a layer starts from, without the batch axis; an open size is none.
    pub(super) fn input_shape(self) -> Result<Option<Vec<Option<usize>>>, NetworkError> {
        let Some(key) = ["batch_shape", "batch_input_shape"].into_iter().find(|key| self.get(key).is_some())
        else {
            return Ok(None);
        };
        let wrong = || self.wrong(key, "a list of sizes");
        let shape = self.get(key).and_then(items).filter(|items| items.len() <= LONGEST_LIST);
        let (_, sizes) = shape.and_then(<[Value]>::split_first).ok_or_else(wrong)?;
        let sizes = sizes.iter().map(|item| match item {
            Value::Null => Ok(None),
            item => size(item).filter(|size| *size > 0).map(Some).ok_or_else(wrong),
        });
        sizes.collect::<Result<_, _>>().map(Some)
    }
}

/// The elements of a list, or of a tuple as Keras marks it.
pub(super) fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        Value::Object(object) if object.get("class_name").is_some_and(|name| name == "__tuple__") => {
            object.get("items")?.as_array().map(Vec::as_slice)
        }
        _ => None,
    }
}

/// A whole number, also when it is written as `3.0`.
fn integer(value: &Value) -> Option<i64> {
    let from_float = || value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
    value.as_i64().or_else(from_float).filter(|number| number.unsigned_abs() <= LARGEST_SIZE)
}

/// A whole number that is not negative.
fn size(value: &Value) -> Option<usize> {
    integer(value).and_then(|number| usize::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with<T>(config: &Value, read: impl Fn(Settings<'_>) -> T) -> T {
        read(Settings { layer: "l", object: config.as_object().unwrap() })
    }

    #[test]
    fn pairs_have_all_the_spellings_of_keras() {
        let tuple = json!({"class_name": "__tuple__", "items": [2, 3]});
        for (value, expected) in [
            (json!(4), [4, 4]),
            (json!([2, 3]), [2, 3]),
            (json!([5]), [5, 5]),
            (json!(2.0), [2, 2]),
            (tuple, [2, 3]),
        ] {
            assert_eq!(with(&json!({ "k": value }), |s| s.pair("k", None)).unwrap(), expected);
        }
        for value in [json!(0), json!(-1), json!([1, 2, 3]), json!("3"), json!(1.5), json!(1e18)] {
            let error = with(&json!({ "k": value }), |s| s.pair("k", None)).unwrap_err().to_string();
            assert!(error.contains("layer \"l\": k must be"), "{error}");
        }
        assert_eq!(with(&json!({ "k": null }), |s| s.pair("k", Some([1, 1]))).unwrap(), [1, 1]);
    }

    #[test]
    fn borders_have_three_spellings() {
        for (value, expected) in [
            (json!(1), [[1, 1], [1, 1]]),
            (json!([1, 2]), [[1, 1], [2, 2]]),
            (json!([[1, 2], [3, 0]]), [[1, 2], [3, 0]]),
        ] {
            assert_eq!(with(&json!({ "k": value }), |s| s.borders("k", 1)).unwrap(), expected);
        }
        assert!(with(&json!({ "k": [[1, 2], [3]] }), |s| s.borders("k", 1)).is_err());
    }

    #[test]
    fn input_shapes_are_read_under_both_names() {
        let old = json!({"batch_input_shape": [null, 55, 47, 3]});
        let new = json!({"batch_shape": [32, null, 47, 3]});
        let read = |config: &Value| {
            Settings { layer: "l", object: config.as_object().unwrap() }.input_shape().map(Option::unwrap)
        };
        assert_eq!(read(&old).unwrap(), [Some(55), Some(47), Some(3)]);
        assert_eq!(read(&new).unwrap(), [None, Some(47), Some(3)]);
        assert!(read(&json!({"batch_shape": [null, 0]})).is_err());
        assert!(read(&json!({"batch_shape": []})).is_err());
    }
}
