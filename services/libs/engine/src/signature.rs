//! What a model takes and gives, and the one check that every request passes before it is queued.

use crate::datatype::Datatype;
use crate::error::EngineError;
use crate::request::{Checked, InferRequest};
use crate::tensor::{NamedTensor, Shape, Tensor, TensorSpec};

/// Inputs, outputs and whether rows of several requests may share a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) model: String,
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    /// The first axis of every input is free and every output has a row for each row that goes in.
    /// Otherwise each request is a run of its own.
    pub(crate) batching: bool,
}

impl Signature {
    /// Checks names, types, shapes and lengths, and puts the inputs into the model's order.
    pub(crate) fn validate(&self, request: InferRequest) -> Result<Checked, EngineError> {
        let wanted = self.wanted(&request.outputs)?;
        let mut slots: Vec<Option<Tensor>> = self.inputs.iter().map(|_| None).collect();
        let mut rows = None;
        for (index, input) in request.inputs.into_iter().enumerate() {
            let place = place_of(&self.inputs, "input", index, &input.name)?;
            if slots[place].is_some() {
                return Err(EngineError::RepeatedTensor { side: "input", index, found: input.name });
            }
            check_tensor(&self.inputs[place], index, &input)?;
            // Without batching the rows only weigh the request in the queue, so the first input's will do.
            let first_axis = input.tensor.shape.first().copied().unwrap_or(1);
            let expected = *rows.get_or_insert(first_axis);
            if self.batching && first_axis != expected {
                return Err(EngineError::Rows { index, name: input.name, expected, found: first_axis });
            }
            slots[place] = Some(input.tensor);
        }
        let missing = slots.iter().position(Option::is_none);
        if let Some(place) = missing {
            return Err(EngineError::MissingTensor { expected: self.inputs[place].name.clone() });
        }
        let rows = usize::try_from(rows.unwrap_or(1)).unwrap_or(usize::MAX);
        Ok(Checked { inputs: slots.into_iter().flatten().collect(), wanted, rows })
    }

    fn wanted(&self, names: &[String]) -> Result<Vec<usize>, EngineError> {
        let mut wanted = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let place = place_of(&self.outputs, "output", index, name)?;
            if wanted.contains(&place) {
                return Err(EngineError::RepeatedTensor { side: "output", index, found: name.clone() });
            }
            wanted.push(place);
        }
        Ok(wanted)
    }
}

fn place_of(
    specs: &[TensorSpec],
    side: &'static str,
    index: usize,
    name: &str,
) -> Result<usize, EngineError> {
    specs.iter().position(|spec| spec.name == name).ok_or_else(|| EngineError::UnknownTensor {
        side,
        index,
        found: name.chars().take(80).collect(),
        expected: specs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn check_tensor(spec: &TensorSpec, index: usize, input: &NamedTensor) -> Result<(), EngineError> {
    let NamedTensor { name, tensor } = input;
    if tensor.datatype != spec.datatype {
        let (expected, found) = (spec.datatype, tensor.datatype);
        return Err(EngineError::Datatype { index, name: name.clone(), expected, found });
    }
    let fits = tensor.shape.len() == spec.shape.len()
        && tensor
            .shape
            .iter()
            .zip(&spec.shape)
            .all(|(length, expected)| *length > 0 && expected.is_none_or(|expected| expected == *length));
    if !fits {
        return Err(EngineError::Shape {
            index,
            name: name.clone(),
            expected: Shape(spec.shape.clone()),
            found: Shape::of(&tensor.shape),
        });
    }
    let found = tensor.data.len() as u64;
    // A product beyond u64 is longer than any content, so its exact value does not matter.
    let size = spec.datatype.size() as u64;
    let expected = tensor.shape.iter().fold(size, |product, length| product.saturating_mul(*length));
    if found != expected {
        return Err(EngineError::Length { index, name: name.clone(), expected, found });
    }
    if spec.datatype == Datatype::Bool
        && let Some(position) = tensor.data.iter().position(|byte| *byte > 1)
    {
        let found = tensor.data[position];
        return Err(EngineError::Boolean { index, name: name.clone(), position, found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gifthorse_api::catalogue::{Coded, ErrorCode};

    use super::*;

    fn spec(name: &str, datatype: Datatype, shape: &[Option<u64>]) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype, shape: shape.to_vec() }
    }

    fn two_inputs() -> Signature {
        Signature {
            model: "m".to_owned(),
            inputs: vec![
                spec("image", Datatype::Fp32, &[None, Some(2)]),
                spec("mask", Datatype::Bool, &[None]),
            ],
            outputs: vec![
                spec("p", Datatype::Fp32, &[None, Some(4)]),
                spec("z", Datatype::Fp32, &[None, Some(4)]),
            ],
            batching: true,
        }
    }

    fn input(name: &str, datatype: Datatype, shape: &[u64], bytes: usize) -> NamedTensor {
        let tensor = Tensor { datatype, shape: shape.to_vec(), data: Bytes::from(vec![1; bytes]) };
        NamedTensor { name: name.to_owned(), tensor }
    }

    fn image(rows: u64) -> NamedTensor {
        input("image", Datatype::Fp32, &[rows, 2], rows as usize * 8)
    }

    fn mask(rows: u64) -> NamedTensor {
        input("mask", Datatype::Bool, &[rows], rows as usize)
    }

    fn refused(inputs: Vec<NamedTensor>) -> EngineError {
        two_inputs().validate(InferRequest::new(inputs)).unwrap_err()
    }

    #[test]
    fn inputs_are_put_in_order_and_outputs_found() {
        let outputs = vec!["z".to_owned(), "p".to_owned()];
        let request = InferRequest { outputs, ..InferRequest::new(vec![mask(3), image(3)]) };
        let checked = two_inputs().validate(request).unwrap();
        assert_eq!(checked.rows, 3);
        assert_eq!(checked.wanted, [1, 0]);
        assert_eq!(checked.inputs[0].datatype, Datatype::Fp32);
        assert_eq!(checked.inputs[1].datatype, Datatype::Bool);
    }

    #[test]
    fn names_are_checked() {
        let error = refused(vec![input("img", Datatype::Fp32, &[1, 2], 8), mask(1)]);
        assert_eq!(
            (error.code(), error.field().as_deref()),
            (ErrorCode::UnknownTensor, Some("inputs[0].name"))
        );
        assert!(error.facts().contains(&("expected", "image, mask".to_owned())));
        assert_eq!(refused(vec![image(1)]), EngineError::MissingTensor { expected: "mask".to_owned() });
        assert!(matches!(refused(vec![image(1), image(1)]), EngineError::RepeatedTensor { index: 1, .. }));

        for outputs in [vec!["q".to_owned()], vec!["p".to_owned(), "p".to_owned()]] {
            let request = InferRequest { outputs, ..InferRequest::new(vec![mask(1), image(1)]) };
            assert_eq!(two_inputs().validate(request).unwrap_err().code(), ErrorCode::UnknownTensor);
        }
    }

    #[test]
    fn shapes_types_and_lengths_are_checked() {
        let error = refused(vec![mask(1), input("image", Datatype::Fp32, &[1, 3], 12)]);
        assert_eq!(
            (error.code(), error.field().as_deref()),
            (ErrorCode::TensorShape, Some("inputs[1].shape"))
        );
        let facts = [("expected", "[-1, 2]".to_owned()), ("found", "[1, 3]".to_owned())];
        assert_eq!(error.facts(), facts);
        for shape in [&[0, 2][..], &[2], &[1, 2, 1], &[]] {
            let error = refused(vec![input("image", Datatype::Fp32, shape, 8), mask(1)]);
            assert_eq!(error.code(), ErrorCode::TensorShape, "{shape:?}");
        }
        assert!(matches!(refused(vec![image(2), mask(3)]), EngineError::Rows { expected: 2, found: 3, .. }));

        let error = refused(vec![input("image", Datatype::Fp64, &[1, 2], 16), mask(1)]);
        assert_eq!(error.code(), ErrorCode::TensorType);
        for bytes in [0, 7, 9] {
            let error = refused(vec![input("image", Datatype::Fp32, &[1, 2], bytes), mask(1)]);
            assert_eq!(error.code(), ErrorCode::TensorLength, "{bytes}");
        }
        let error = refused(vec![input("image", Datatype::Fp32, &[u64::MAX, 2], 8), mask(1)]);
        assert_eq!(error.code(), ErrorCode::TensorLength);
    }

    #[test]
    fn booleans_are_zero_or_one() {
        let mut bad = mask(3);
        bad.tensor.data = Bytes::from_static(&[0, 1, 2]);
        assert!(matches!(refused(vec![image(3), bad]), EngineError::Boolean { position: 2, found: 2, .. }));
    }

    #[test]
    fn without_batching_the_declared_rows_must_match() {
        let mut signature = two_inputs();
        signature.batching = false;
        signature.inputs = vec![spec("image", Datatype::Fp32, &[Some(4), Some(2)])];
        let rows = |rows| signature.validate(InferRequest::new(vec![image(rows)]));
        assert_eq!(rows(4).unwrap().rows, 4);
        assert_eq!(rows(3).unwrap_err().code(), ErrorCode::TensorShape);
    }
}
