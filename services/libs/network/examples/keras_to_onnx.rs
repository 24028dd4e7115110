//! Converts a Keras `.h5` file to ONNX and back, for conformance tests against Keras itself.
//!
//! ```text
//! keras_to_onnx import MODEL.h5 MODEL.onnx [ARCHITECTURE]   prints the description as JSON
//! keras_to_onnx export MODEL.onnx SOURCE.h5 MODEL.h5 [ARCHITECTURE]
//! ```
//!
//! ARCHITECTURE is the name of a built-in one, or the path of a Keras JSON file.
#![allow(clippy::print_stdout, reason = "the answer of a command")]

use std::error::Error;
use std::path::Path;

use gifthorse_network::keras::{Architecture, KerasOptions, export_h5, import};

type Fault = Box<dyn Error>;

fn architecture(text: Option<&String>) -> Result<Option<Architecture>, Fault> {
    let Some(text) = text else {
        return Ok(None);
    };
    let json = Path::new(text).extension().is_some_and(|extension| extension == "json");
    Ok(Some(if json { Architecture::Json(std::fs::read_to_string(text)?) } else { text.parse()? }))
}

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match texts.as_slice() {
        ["import", source, destination, ..] => {
            let options = KerasOptions { architecture: architecture(arguments.get(3))? };
            let imported = import(Path::new(source), &options)?;
            std::fs::write(destination, &imported.onnx)?;
            println!("{}", serde_json::to_string_pretty(&imported.description)?);
        }
        ["export", onnx, source, destination, ..] => {
            let options = KerasOptions { architecture: architecture(arguments.get(4))? };
            let description = import(Path::new(source), &options)?.description;
            let onnx = std::fs::read(onnx)?;
            let architecture = options.architecture.as_ref();
            export_h5(&onnx, &description, Path::new(source), architecture, Path::new(destination))?;
        }
        _ => return Err("usage: keras_to_onnx import|export ... (see the top of the source)".into()),
    }
    Ok(())
}
