//! What a foreign server answers: rows of numbers, whichever way it sends them.

use gifthorse_api::inference::ModelInferResponse;
use gifthorse_api::inference::model_infer_response::InferOutputTensor;

/// Classes of a linked network, at most: far above any real one, and what is kept of the probes stays small.
const MAX_CLASSES: usize = 100_000;

/// `[N, M]` numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    /// M.
    pub(crate) classes: usize,
    /// Row-major.
    pub(crate) values: Vec<f32>,
}

impl Rows {
    /// The output of this name, if it has `rows` rows of numbers. The error says what it is instead.
    pub(super) fn of(response: &ModelInferResponse, output: &str, rows: usize) -> Result<Self, String> {
        let place = response.outputs.iter().position(|tensor| tensor.name == output);
        let Some((place, tensor)) = place.map(|place| (place, &response.outputs[place])) else {
            let names: Vec<&str> = response.outputs.iter().map(|tensor| tensor.name.as_str()).collect();
            return Err(format!("without an output {output:?}, it sends {names:?}"));
        };
        let classes = match *tensor.shape.as_slice() {
            [count, classes] if count == rows as i64 && (1..=MAX_CLASSES as i64).contains(&classes) => {
                classes as usize
            }
            _ => {
                return Err(format!(
                    "with {output:?} of shape {:?} for {rows} rows: a classifier answers [N, M]",
                    tensor.shape
                ));
            }
        };
        let values = match response.raw_output_contents.get(place) {
            Some(raw) => from_raw(&tensor.datatype, raw),
            None => from_contents(tensor),
        };
        let values = values.ok_or_else(|| {
            format!("with {output:?} of type {} in a form that holds no such numbers", tensor.datatype)
        })?;
        if values.len() != rows * classes {
            return Err(format!("{} numbers for shape {:?}", values.len(), tensor.shape));
        }
        Ok(Self { classes, values })
    }

    /// Each row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes)
    }

    /// The first row with NaN or an infinity.
    pub(crate) fn not_finite(&self) -> Option<usize> {
        self.iter().position(|row| row.iter().any(|value| !value.is_finite()))
    }

    /// Logits made probabilities.
    pub(crate) fn softmax(&mut self) {
        for row in self.values.chunks_exact_mut(self.classes) {
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exponential = |value: f32| f64::from(value - highest).exp();
            let sum: f64 = row.iter().map(|value| exponential(*value)).sum();
            for value in row {
                *value = (exponential(*value) / sum) as f32;
            }
        }
    }
}

fn from_raw(datatype: &str, raw: &[u8]) -> Option<Vec<f32>> {
    match datatype {
        "FP32" => {
            let (values, rest) = raw.as_chunks::<4>();
            rest.is_empty().then(|| values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
        "FP64" => {
            let (values, rest) = raw.as_chunks::<8>();
            rest.is_empty().then(|| values.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect())
        }
        _ => None,
    }
}

fn from_contents(tensor: &InferOutputTensor) -> Option<Vec<f32>> {
    let contents = tensor.contents.as_ref()?;
    match tensor.datatype.as_str() {
        "FP32" => Some(contents.fp32_contents.clone()),
        "FP64" => Some(contents.fp64_contents.iter().map(|value| *value as f32).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::inference::InferTensorContents;

    use super::*;

    fn response(datatype: &str, shape: &[i64], contents: Option<&InferTensorContents>) -> ModelInferResponse {
        let tensor = |name: &str| InferOutputTensor {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
            contents: contents.cloned(),
            ..InferOutputTensor::default()
        };
        ModelInferResponse { outputs: vec![tensor("other"), tensor("p")], ..ModelInferResponse::default() }
    }

    #[test]
    fn both_forms_and_both_widths_are_read() {
        let wanted = Rows { classes: 2, values: vec![0.25, 0.75] };
        let typed = InferTensorContents { fp32_contents: vec![0.25, 0.75], ..Default::default() };
        assert_eq!(Rows::of(&response("FP32", &[1, 2], Some(&typed)), "p", 1), Ok(wanted.clone()));
        let typed = InferTensorContents { fp64_contents: vec![0.25, 0.75], ..Default::default() };
        assert_eq!(Rows::of(&response("FP64", &[1, 2], Some(&typed)), "p", 1), Ok(wanted.clone()));
        let raw = |datatype: &str, bytes: Vec<u8>| ModelInferResponse {
            raw_output_contents: vec![vec![0].into(), bytes.into()],
            ..response(datatype, &[1, 2], None)
        };
        let singles = [0.25_f32, 0.75].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(Rows::of(&raw("FP32", singles), "p", 1), Ok(wanted.clone()));
        let doubles = [0.25_f64, 0.75].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(Rows::of(&raw("FP64", doubles), "p", 1), Ok(wanted));
    }

    #[test]
    fn what_is_no_answer_is_said() {
        let typed = InferTensorContents { fp32_contents: vec![0.5; 2], ..Default::default() };
        for (datatype, shape, output, words) in [
            ("FP32", &[1, 2][..], "q", "without an output \"q\""),
            ("FP32", &[2, 2], "p", "of shape [2, 2] for 1 rows"),
            ("FP32", &[2], "p", "of shape [2]"),
            ("FP32", &[1, 0], "p", "of shape [1, 0]"),
            ("FP32", &[1, -1], "p", "of shape [1, -1]"),
            ("FP32", &[1, 1 << 40], "p", "of shape"),
            ("FP32", &[1, 3], "p", "2 numbers for shape [1, 3]"),
            ("BYTES", &[1, 2], "p", "of type BYTES"),
        ] {
            let refused = Rows::of(&response(datatype, shape, Some(&typed)), output, 1).unwrap_err();
            assert!(refused.contains(words), "{refused:?} must speak of {words:?}");
        }
    }

    #[test]
    fn logits_become_probabilities_however_large() {
        let mut rows = Rows { classes: 2, values: vec![0.0, 0.0, 1000.0, -1000.0, -2.0, -2.0 - 3_f32.ln()] };
        rows.softmax();
        let wanted = [0.5, 0.5, 1.0, 0.0, 0.75, 0.25];
        assert!(
            rows.values.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-6),
            "{rows:?}"
        );
        assert_eq!(rows.not_finite(), None);
        rows.values[3] = f32::NAN;
        assert_eq!(rows.not_finite(), Some(1));
    }
}
