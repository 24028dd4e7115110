//! Cuts an ONNX network in two where the defences cut it, for conformance tests with a runtime.
//!
//! ```text
//! cut_network MODEL.onnx PREFIX.onnx SUFFIX.onnx   prints the cut and the names of the tensors as JSON
//! ```
#![allow(clippy::print_stdout, reason = "the answer of a command")]

use std::error::Error;

use gifthorse_network::onnx::{OnnxOptions, import};
use gifthorse_network::surgery::{default_cut, split};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, prefix, suffix] = arguments.as_slice() else {
        return Err("usage: cut_network MODEL.onnx PREFIX.onnx SUFFIX.onnx".into());
    };
    let network = import(&std::fs::read(source)?, &OnnxOptions::default())?;
    let cut = default_cut(&network.onnx, &network.description)?;
    let halves = split(&network.onnx, &network.description, &cut)?;
    std::fs::write(prefix, &halves.prefix)?;
    std::fs::write(suffix, &halves.suffix)?;
    let (input, activation, logits) = (&halves.input, &halves.activation, &halves.logits);
    println!("{}", json!({ "cut": halves.cut, "input": input, "activation": activation, "logits": logits }));
    Ok(())
}
