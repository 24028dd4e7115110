//! The gradient of every operator against finite differences, in 64 bits.

use gifthorse_network::onnx::attribute::{float, int, ints, string};
use gifthorse_network::onnx::build::tensor_f32;
use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{AttributeProto, NodeProto, TensorProto};
use tch::{Kind, Tensor};

use super::{Facts, Inputs, Noise, Pass, Value, build};
use crate::mode::{BatchNorm, Mode};

/// Half the distance between two places at which a function is looked at.
const NEAR: f64 = 1e-5;

/// A node and what it reads.
struct Case {
    title: String,
    node: NodeProto,
    constants: Vec<TensorProto>,
    inputs: Vec<Tensor>,
    opset: i64,
    pass: Pass,
}

/// Numbers between -1 and 1, no two of them equal, none zero.
fn numbers(shape: &[i64], salt: f64) -> Tensor {
    let count = shape.iter().product::<i64>();
    let values: Vec<f64> = (0..count).map(|index| (index as f64 * 0.731 + salt + 0.1).sin()).collect();
    Tensor::from_slice(&values).reshape(shape)
}

impl Case {
    fn new(operator: &str, attributes: Vec<AttributeProto>, shapes: &[&[i64]]) -> Self {
        let names: Vec<String> = (0..shapes.len()).map(|index| format!("x{index}")).collect();
        let shown: Vec<String> = attributes.iter().map(|attribute| attribute.name.clone()).collect();
        let inputs = shapes.iter().enumerate().map(|(index, shape)| numbers(shape, index as f64));
        Self {
            title: format!("{operator} {shown:?} {shapes:?}"),
            node: NodeProto {
                input: names,
                output: vec!["y".to_owned()],
                op_type: operator.to_owned(),
                attribute: attributes,
                ..NodeProto::default()
            },
            constants: Vec::new(),
            inputs: inputs.collect(),
            opset: 17,
            pass: Pass::serving(),
        }
    }

    /// One more input: integers.
    fn integers(mut self, values: &[i64]) -> Self {
        let name = format!("integers{}", self.constants.len());
        self.node.input.push(name.clone());
        self.constants.push(TensorProto {
            name,
            dims: vec![values.len() as i64],
            data_type: DataType::Int64.into(),
            int64_data: values.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    /// One more input: a number; none leaves it out.
    fn number(mut self, value: Option<f32>) -> Self {
        let name = value.map(|_| format!("number{}", self.constants.len())).unwrap_or_default();
        self.node.input.push(name.clone());
        self.constants.extend(value.map(|value| tensor_f32(&name, ndarray::arr0(value).view())));
        self
    }

    /// Takes only positive numbers for this input.
    fn positive(mut self, input: usize) -> Self {
        self.inputs[input] = self.inputs[input].abs() + 0.3;
        self
    }

    /// Spreads all numbers, to reach both sides of limits further away.
    fn times(mut self, factor: f64) -> Self {
        self.inputs = self.inputs.iter().map(|input| input * factor).collect();
        self
    }

    fn training(mut self) -> Self {
        let mode = Mode { batch_norm: BatchNorm::Train, dropout: true };
        self.pass = Pass::training(mode, Noise { seed: 3, step: 5 }, false);
        self.title.push_str(" in training");
        self
    }

    fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// A sum of what the node makes, each element with a weight of its own.
    fn value(&self, inputs: &[Tensor]) -> Tensor {
        let facts = Facts::new(self.opset, &self.constants);
        let operator = build(&self.node, &facts).unwrap_or_else(|reason| panic!("{}: {reason}", self.title));
        let mut values: Vec<Value> =
            inputs.iter().map(|input| Value::Tensor(input.shallow_clone())).collect();
        let constants = self.node.input.iter().skip(inputs.len()).filter(|name| !name.is_empty());
        for name in constants {
            let constant = self.constants.iter().find(|tensor| tensor.name == *name).unwrap();
            values.push(super::integers(constant).map_or_else(
                || Value::Tensor(Tensor::from_slice(&super::floats(constant).unwrap()).to_kind(Kind::Double)),
                Value::Integers,
            ));
        }
        let inputs = Inputs(values.iter().map(Some).collect());
        let made =
            operator.run(&inputs, &self.pass).unwrap_or_else(|error| panic!("{}: {error}", self.title));
        let Value::Tensor(made) = made else { panic!("{} makes integers", self.title) };
        let weights = numbers(&made.size(), 7.0);
        (made * weights).sum(Kind::Double)
    }

    fn check(&self) {
        let inputs: Vec<Tensor> =
            self.inputs.iter().map(|input| input.copy().set_requires_grad(true)).collect();
        let gradients = Tensor::run_backward(&[self.value(&inputs)], &inputs, false, false);
        for (place, (input, gradient)) in self.inputs.iter().zip(&gradients).enumerate() {
            // Stored statistics are read past the gradient.
            if !gradient.defined() {
                assert!(
                    self.node.op_type == "BatchNormalization" && place > 2,
                    "{}: input {place}",
                    self.title
                );
                continue;
            }
            let gradient = Vec::<f64>::try_from(gradient.reshape([-1])).unwrap();
            for (index, found) in gradient.into_iter().enumerate() {
                let moved = |by: f64| {
                    let mut moved: Vec<Tensor> = self.inputs.iter().map(Tensor::copy).collect();
                    let mut values = Vec::<f64>::try_from(input.reshape([-1])).unwrap();
                    values[index] += by;
                    moved[place] = Tensor::from_slice(&values).reshape(input.size());
                    self.value(&moved).double_value(&[])
                };
                let expected = (moved(NEAR) - moved(-NEAR)) / (2.0 * NEAR);
                let error = (found - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-7, "{}: input {place}, element {index}: {found} {expected}", self.title);
            }
        }
    }
}

fn convolutions() -> Vec<Case> {
    let case =
        |attributes, kernel: &[i64]| Case::new("Conv", attributes, &[&[2, 4, 6, 5], kernel, &[kernel[0]]]);
    vec![
        case(vec![], &[3, 4, 3, 2]),
        case(vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 1])], &[3, 4, 3, 3]),
        case(vec![ints("pads", &[0, 2, 1, 0])], &[3, 4, 3, 3]),
        case(vec![int("group", 2), ints("dilations", &[2, 1])], &[6, 2, 2, 3]),
        case(
            vec![int("group", 4), string("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])],
            &[4, 1, 3, 3],
        ),
        case(vec![string("auto_pad", "SAME_LOWER")], &[2, 4, 2, 2]),
        case(vec![string("auto_pad", "VALID")], &[2, 4, 2, 2]),
        case(vec![ints("strides", &[2, 3]), ints("pads", &[0, 1, 0, 0])], &[3, 4, 1, 1]),
        case(vec![ints("strides", &[2, 2]), int("group", 2)], &[4, 2, 1, 1]),
        Case::new("Conv", vec![], &[&[1, 2, 4, 4], &[3, 2, 1, 1]]),
    ]
}

fn poolings() -> Vec<Case> {
    let mut cases = Vec::new();
    for operator in ["MaxPool", "AveragePool"] {
        for counts in [0, 1] {
            for (ceil, pads) in
                [(0, [0; 4]), (1, [0; 4]), (0, [1; 4]), (1, [1; 4]), (0, [0, 1, 1, 0]), (1, [2, 0, 1, 1])]
            {
                let mut attributes = vec![
                    ints("kernel_shape", &[3, 2]),
                    ints("strides", &[2, 2]),
                    ints("pads", &pads),
                    int("ceil_mode", ceil),
                ];
                if operator == "AveragePool" {
                    attributes.push(int("count_include_pad", counts));
                }
                cases.push(Case::new(operator, attributes, &[&[2, 2, 6, 5]]));
            }
        }
        let same = vec![ints("kernel_shape", &[2, 2]), string("auto_pad", "SAME_UPPER")];
        cases.push(Case::new(operator, same, &[&[1, 2, 5, 4]]));
        let global = operator
            .replace("Pool", "")
            .replace("Max", "GlobalMaxPool")
            .replace("Average", "GlobalAveragePool");
        cases.push(Case::new(&global, vec![], &[&[2, 3, 4, 3]]));
    }
    let gaps = vec![ints("kernel_shape", &[2, 2]), ints("dilations", &[2, 2])];
    cases.push(Case::new("MaxPool", gaps, &[&[1, 2, 5, 5]]));
    cases
}

fn products() -> Vec<Case> {
    let scaled = vec![float("alpha", 0.5), float("beta", 2.0), int("transA", 1)];
    vec![
        Case::new("Gemm", vec![int("transB", 1)], &[&[3, 4], &[5, 4], &[5]]),
        Case::new("Gemm", scaled, &[&[4, 3], &[4, 5], &[3, 5]]),
        Case::new("Gemm", vec![], &[&[3, 4], &[4, 5]]),
        Case::new("Gemm", vec![], &[&[3, 4], &[4, 5], &[1]]),
        Case::new("MatMul", vec![], &[&[3, 4], &[4, 5]]),
        Case::new("MatMul", vec![], &[&[2, 3, 4], &[4, 5]]),
    ]
}

fn normalisations() -> Vec<Case> {
    let case = |shape: &[i64]| {
        let attributes = vec![float("epsilon", 1e-3)];
        Case::new("BatchNormalization", attributes, &[shape, &[3], &[3], &[3], &[3]]).positive(4)
    };
    let softmax =
        |operator, axis: i64, opset| Case::new(operator, vec![int("axis", axis)], &[&[2, 3, 4]]).opset(opset);
    vec![
        case(&[4, 3, 2, 2]),
        case(&[4, 3]),
        softmax("Softmax", -1, 17),
        softmax("Softmax", 1, 17),
        softmax("Softmax", 1, 11),
        softmax("LogSoftmax", 2, 17),
        softmax("LogSoftmax", 1, 11),
    ]
}

/// In training the stored statistics have no influence: their gradients are left out.
fn normalisation_in_training() -> Case {
    let mut case = Case::new("BatchNormalization", vec![], &[&[4, 3, 2, 2], &[3], &[3]]).training();
    for name in ["mean", "variance"] {
        case.node.input.push(name.to_owned());
        case.constants.push(tensor_f32(name, ndarray::arr1(&[1.0_f32, 2.0, 3.0]).view()));
    }
    case
}

fn functions() -> Vec<Case> {
    let plain = [
        "Relu",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Celu",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Swish",
        "Tanh",
        "Softplus",
        "Softsign",
        "Gelu",
        "Mish",
        "Exp",
        "Neg",
        "Abs",
        "Erf",
        "ThresholdedRelu",
    ];
    let mut cases: Vec<Case> =
        plain.iter().map(|operator| Case::new(operator, vec![], &[&[3, 7]]).times(4.0)).collect();
    cases.extend(
        ["Log", "Sqrt", "Reciprocal"].map(|operator| Case::new(operator, vec![], &[&[3, 7]]).positive(0)),
    );
    cases.extend([
        Case::new("LeakyRelu", vec![float("alpha", 0.3)], &[&[3, 7]]),
        Case::new("Elu", vec![float("alpha", 0.3)], &[&[3, 7]]),
        Case::new("Celu", vec![float("alpha", 2.0)], &[&[3, 7]]).times(3.0),
        Case::new("HardSigmoid", vec![float("alpha", 0.25), float("beta", 0.4)], &[&[3, 7]]).times(4.0),
        Case::new("Swish", vec![float("alpha", 1.5)], &[&[3, 7]]),
        Case::new("Gelu", vec![string("approximate", "tanh")], &[&[3, 7]]),
        Case::new("PRelu", vec![], &[&[2, 3, 4, 2], &[3, 1, 1]]),
        Case::new("PRelu", vec![], &[&[2, 3], &[1]]),
        Case::new("Clip", vec![], &[&[3, 7]]).number(Some(-0.45)).number(Some(0.6)),
        Case::new("Clip", vec![], &[&[3, 7]]).number(None).number(Some(0.6)),
        Case::new("Clip", vec![float("min", 0.05)], &[&[3, 7]]).opset(6),
        Case::new("Dropout", vec![], &[&[4, 9]]).number(Some(0.3)).training(),
        Case::new("Dropout", vec![], &[&[4, 9]]),
    ]);
    cases
}

fn arithmetic() -> Vec<Case> {
    let mut cases = Vec::new();
    for operator in ["Add", "Sub", "Mul", "Div", "Max", "Min"] {
        for shapes in [[&[2, 3, 2, 2][..], &[2, 3, 2, 2][..]], [&[2, 3, 2, 2], &[3, 1, 1]], [&[3], &[2, 1]]] {
            cases.push(Case::new(operator, vec![], &shapes).positive(1));
        }
    }
    cases.push(Case::new("Sum", vec![], &[&[2, 3], &[3], &[2, 1]]));
    cases.push(Case::new("Mean", vec![], &[&[2, 3], &[3], &[2, 1]]));
    cases
}

fn movements() -> Vec<Case> {
    let shape: &[&[i64]] = &[&[2, 3, 4, 1]];
    vec![
        Case::new("Concat", vec![int("axis", 1)], &[&[2, 3, 2], &[2, 1, 2]]),
        Case::new("Concat", vec![int("axis", -1)], &[&[2, 3], &[2, 4]]),
        Case::new("Flatten", vec![], shape),
        Case::new("Flatten", vec![int("axis", -2)], shape),
        Case::new("Reshape", vec![], shape).integers(&[0, -1]),
        Case::new("Transpose", vec![ints("perm", &[0, 2, 3, 1])], shape),
        Case::new("Transpose", vec![], shape),
        Case::new("Squeeze", vec![], shape).integers(&[-1]),
        Case::new("Squeeze", vec![ints("axes", &[3])], shape).opset(11),
        Case::new("Squeeze", vec![], shape),
        Case::new("Unsqueeze", vec![], &[&[2, 3]]).integers(&[0, -1]),
        Case::new("Unsqueeze", vec![ints("axes", &[1])], &[&[2, 3]]).opset(11),
        Case::new("Identity", vec![], shape),
        Case::new("Pad", vec![], &[&[1, 2, 3, 3]]).integers(&[0, 0, 1, 0, 0, 1, 2, 1]).number(Some(0.5)),
        Case::new("Pad", vec![], &[&[1, 2, 3, 3]]).integers(&[0, 0, -1, 0, 0, 0, 0, -1]),
        Case::new(
            "Pad",
            vec![ints("pads", &[0, 0, 1, 0, 0, 0, 2, 1]), string("mode", "reflect")],
            &[&[1, 2, 3, 3]],
        ),
        Case::new(
            "Pad",
            vec![ints("pads", &[0, 0, 1, 0, 0, 0, 2, 1]), string("mode", "edge")],
            &[&[1, 2, 3, 3]],
        ),
        Case::new("ReduceMean", vec![ints("axes", &[2, 3]), int("keepdims", 0)], &[&[2, 3, 4, 2]]),
        Case::new("ReduceMean", vec![], &[&[2, 3, 4, 2]]).integers(&[-1]).opset(18),
        Case::new("ReduceSum", vec![], &[&[2, 3, 4]]).integers(&[1]),
        Case::new("ReduceMax", vec![ints("axes", &[1])], &[&[2, 3, 4]]),
        Case::new("ReduceMean", vec![], &[&[2, 3]]),
    ]
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let families: [fn() -> Vec<Case>; 7] =
        [convolutions, poolings, products, normalisations, functions, arithmetic, movements];
    // Thousands of runs on a handful of numbers: threads would only wait for each other.
    tch::set_num_threads(1);
    let mut count = 0;
    for case in families.iter().flat_map(|family| family()).chain([normalisation_in_training()]) {
        case.check();
        count += 1;
    }
    assert!(count > 100, "{count} cases");
}

#[test]
fn running_statistics_follow_the_batch_as_in_pytorch() {
    let mode = Mode { batch_norm: BatchNorm::Train, dropout: false };
    let node = Case::new("BatchNormalization", vec![float("momentum", 0.75)], &[&[2, 1]]).node;
    let operator = build(&node, &Facts::new(17, &[])).unwrap();
    let tensor = |values: &[f64]| Value::Tensor(Tensor::from_slice(values));
    let image = Value::Tensor(Tensor::from_slice(&[1.0, 3.0]).reshape([2, 1]));
    let values = [image, tensor(&[1.0]), tensor(&[0.0]), tensor(&[0.0]), tensor(&[1.0])];
    let run = |follows| {
        let pass = Pass::training(mode, Noise { seed: 0, step: 0 }, follows);
        operator.run(&Inputs(values.iter().map(Some).collect()), &pass).unwrap();
        [3, 4].map(|index: usize| {
            let Value::Tensor(tensor) = &values[index] else { panic!("a tensor was put there") };
            tensor.double_value(&[0])
        })
    };
    let bits = |values: [f64; 2]| values.map(f64::to_bits);
    assert_eq!(bits(run(false)), bits([0.0, 1.0]), "a second look leaves them alone");
    // Mean 2 and unbiased variance 2 of the batch, a quarter of each.
    assert_eq!(bits(run(true)), bits([0.5, 1.25]));
}
