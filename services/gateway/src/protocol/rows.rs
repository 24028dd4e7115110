//! A batch of the protocol, image by image: the rows that are scanned, and the network's answer to each.

use bytes::Bytes;
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_api::v1;

use super::error::ProtocolError;
use crate::directory::KnownVersion;

/// The images of a request, prepared as the network takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    sides: Vec<i32>,
    row_bytes: usize,
    data: Bytes,
}

impl Rows {
    /// The rows of the image input, which must be the only one.
    pub(super) fn of(request: &ModelInferRequest, version: &KnownVersion) -> Result<Self, ProtocolError> {
        let [_, sides @ ..] = version.preprocessing.shape(1);
        let wrong = |why: &str| ProtocolError::Input {
            model: version.model.to_string(),
            input: version.input.clone(),
            shape: format!("[N, {}, {}, {}]", sides[0], sides[1], sides[2]),
            why: why.to_owned(),
        };
        let [input] = request.inputs.as_slice() else {
            return Err(wrong(&format!("not {} inputs", request.inputs.len())));
        };
        if input.name != version.input || input.datatype != "FP32" {
            return Err(wrong(&format!("not {:?} {}", shortened(&input.name), shortened(&input.datatype))));
        }
        let [count, found @ ..] = input.shape.as_slice() else {
            return Err(wrong("with a shape"));
        };
        let count = usize::try_from(*count).ok().filter(|count| *count > 0);
        let same = found.len() == sides.len()
            && found.iter().zip(sides).all(|(found, side)| usize::try_from(*found) == Ok(side));
        let Some(count) = count.filter(|_| same) else {
            return Err(wrong(&format!("not {:?}", input.shape)));
        };
        let data = match request.raw_input_contents.as_slice() {
            [] => {
                let contents = input.contents.as_ref().map(|contents| contents.fp32_contents.as_slice());
                contents.unwrap_or_default().iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            [raw] => raw.clone(),
            several => return Err(wrong(&format!("not with {} raw contents", several.len()))),
        };
        let row_bytes = sides.iter().product::<usize>() * size_of::<f32>();
        if count.checked_mul(row_bytes) != Some(data.len()) {
            return Err(wrong(&format!("not {} bytes for {count} rows", data.len())));
        }
        Ok(Self { sides: sides.iter().map(|side| *side as i32).collect(), row_bytes, data })
    }

    pub(super) fn count(&self) -> usize {
        self.data.len() / self.row_bytes
    }

    /// One image for the detector. It shares the memory of the request.
    pub(super) fn tensor(&self, row: usize) -> v1::ImageTensor {
        let start = row * self.row_bytes;
        v1::ImageTensor {
            shape: self.sides.clone(),
            content: v1::image_tensor::Content::PreparedFp32.into(),
            data: self.data.slice(start..start + self.row_bytes),
        }
    }
}

/// The network's probabilities, row after row, out of serving's answer in either form.
pub(super) fn probabilities(
    answer: &ModelInferResponse,
    version: &KnownVersion,
    rows: usize,
) -> Result<Vec<f32>, ProtocolError> {
    let wrong = |found: String| ProtocolError::Answer {
        model: version.model.to_string(),
        found,
        expected: format!("[{rows}, {}]", version.class_count),
    };
    let [output] = answer.outputs.as_slice() else {
        return Err(wrong(format!("{} outputs", answer.outputs.len())));
    };
    if output.datatype != "FP32" {
        return Err(wrong(format!("{} {}", output.datatype, output.name)));
    }
    let values: Vec<f32> = match (answer.raw_output_contents.as_slice(), &output.contents) {
        ([raw], _) => raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        ([], Some(contents)) => contents.fp32_contents.clone(),
        _ => Vec::new(),
    };
    if version.class_count == 0 || values.len() != rows * version.class_count {
        return Err(wrong(format!("{} numbers", values.len())));
    }
    Ok(values)
}

/// As much of a caller's text as a message shows.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use gifthorse_api::inference::InferTensorContents;
    use gifthorse_api::inference::model_infer_request::InferInputTensor;
    use gifthorse_dataset::preprocessing::Layout;
    use gifthorse_dataset::wire::{self, NetworkInput};

    use super::*;

    pub(in crate::protocol) fn version() -> KnownVersion {
        let input = NetworkInput { height: 1, width: 2, channels: 1, layout: Layout::Nhwc };
        KnownVersion {
            model: "m".parse().unwrap(),
            version: "1".parse().unwrap(),
            suspect: None,
            preprocessing: wire::complete(&v1::Preprocessing::default(), input).unwrap(),
            class_count: 3,
            class_names: Vec::new(),
            input: "image".to_owned(),
            output: "probabilities".to_owned(),
        }
    }

    fn request(shape: &[i64], values: &[f32]) -> ModelInferRequest {
        ModelInferRequest {
            inputs: vec![InferInputTensor {
                name: "image".to_owned(),
                datatype: "FP32".to_owned(),
                shape: shape.to_vec(),
                contents: Some(InferTensorContents {
                    fp32_contents: values.to_vec(),
                    ..InferTensorContents::default()
                }),
                ..InferInputTensor::default()
            }],
            ..ModelInferRequest::default()
        }
    }

    fn raw(mut typed: ModelInferRequest) -> ModelInferRequest {
        let contents = typed.inputs[0].contents.take().unwrap().fp32_contents;
        typed.raw_input_contents = vec![contents.iter().flat_map(|value| value.to_le_bytes()).collect()];
        typed
    }

    #[test]
    fn both_forms_give_the_same_rows() {
        let typed = request(&[2, 1, 2, 1], &[0.0, 0.25, 0.5, 1.0]);
        let rows = Rows::of(&typed, &version()).unwrap();
        assert_eq!(rows, Rows::of(&raw(typed), &version()).unwrap());
        assert_eq!(rows.count(), 2);
        let second = rows.tensor(1);
        assert_eq!(second.shape, [1, 2, 1]);
        assert_eq!(second.data, [0.5_f32.to_le_bytes(), 1.0_f32.to_le_bytes()].concat());
    }

    #[test]
    fn what_is_no_batch_of_images_is_refused() {
        let two_inputs = {
            let mut request = request(&[1, 1, 2, 1], &[0.0, 1.0]);
            request.inputs.push(request.inputs[0].clone());
            request
        };
        for wrong in [
            request(&[1, 2, 1, 1], &[0.0, 1.0]),
            request(&[2], &[0.0, 1.0]),
            request(&[], &[]),
            request(&[0, 1, 2, 1], &[]),
            request(&[-1, 1, 2, 1], &[]),
            request(&[1 << 62, 1, 2, 1], &[0.0, 1.0]),
            request(&[1, 1, 2, 1], &[0.0]),
            request(&[2, 1, 2, 1], &[0.0, 1.0]),
            two_inputs,
            ModelInferRequest::default(),
        ] {
            assert!(Rows::of(&wrong, &version()).is_err(), "{wrong:?}");
            if wrong.inputs.len() == 1 {
                assert!(Rows::of(&raw(wrong.clone()), &version()).is_err(), "{wrong:?}, raw");
            }
        }
    }
}
