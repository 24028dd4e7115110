//! The operators of ONNX in terms of libtorch, each with the gradient that libtorch gives it.
//!
//! An operator is read from its node once, when a network is loaded: attributes are checked then, and what
//! cannot be run with gradients is named then. Running it may still fail on shapes that do not fit.

mod activation;
mod arithmetic;
mod convolution;
mod dropout;
mod facts;
#[cfg(test)]
mod gradient_tests;
mod inputs;
mod integers;
mod linear;
mod moving;
mod normalization;
mod padding;
mod pass;
mod pooling;
mod reduction;
mod softmax;
mod window;

use std::fmt::Debug;

use gifthorse_network::onnx::messages::NodeProto;

pub(crate) use facts::{Facts, floats, integers};
pub(crate) use inputs::{Inputs, Value};
pub(crate) use pass::{Noise, Pass};

/// A node that can be run.
pub(crate) trait Operator: Debug + Send {
    /// What the node makes of its inputs.
    fn run(&self, inputs: &Inputs<'_>, pass: &Pass) -> Result<Value, tch::TchError>;
}

/// An operator, or why it cannot be run.
pub(crate) type Built = Result<Box<dyn Operator>, String>;

/// Reads a node.
///
/// # Errors
/// A reason for people, when the operator or one of its attributes is not known.
pub(crate) fn build(node: &NodeProto, facts: &Facts<'_>) -> Built {
    match node.op_type.as_str() {
        "Conv" => convolution::build(node, facts),
        "Gemm" => Ok(linear::gemm(node)),
        "MatMul" => Ok(linear::matmul()),
        "BatchNormalization" => normalization::build(node),
        "MaxPool" | "AveragePool" => pooling::build(node, facts),
        "GlobalAveragePool" | "GlobalMaxPool" => Ok(pooling::global(node)),
        "ReduceMean" | "ReduceSum" | "ReduceMax" => reduction::build(node, facts),
        "Add" | "Sub" | "Mul" | "Div" | "Sum" | "Max" | "Min" | "Mean" => Ok(arithmetic::build(node)),
        "Concat" => moving::concat(node),
        "Flatten" => Ok(moving::flatten(node)),
        "Reshape" => Ok(moving::reshape(node)),
        "Transpose" => Ok(moving::transpose(node)),
        "Squeeze" => moving::squeeze(node, facts),
        "Unsqueeze" => moving::unsqueeze(node, facts),
        "Identity" => Ok(moving::identity()),
        "Cast" => moving::cast(node),
        "Shape" | "Gather" => integers::build(node, facts),
        "Pad" => padding::build(node, facts),
        "Dropout" => dropout::build(node, facts),
        "Softmax" | "LogSoftmax" => Ok(softmax::build(node, facts)),
        _ => activation::build(node, facts)
            .unwrap_or_else(|| Err("the operator is not among those that can be trained".to_owned())),
    }
}
