//! Generates the ONNX messages, and a table of their fields, from the repository's own description of the
//! format, without `protoc`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

fn main() -> Result<(), Box<dyn Error>> {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto/onnx");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", protos.join("onnx.proto").display());
    let files = protox::compile(["onnx.proto"], [&protos])?;
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(folder.join("onnx_fields.rs"), field_table(&files)?)?;
    prost_build::Config::new()
        // Weights are the bulk of a model: shared buffers make a copy of the graph cheap.
        .bytes([".onnx.TensorProto.raw_data"])
        .compile_fds(files)?;
    Ok(())
}

/// Rust text of `enum Message` with the kind of each of its fields, for the walk over an undecoded file.
fn field_table(files: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut messages = Vec::new();
    for file in &files.file {
        for message in &file.message_type {
            collect("", message, &mut messages);
        }
    }
    let mut text = String::from(
        "/// The messages of the format; a message inside another bears both names.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq)]\npub(super) enum Message {\n",
    );
    for (name, _) in &messages {
        writeln!(text, "/// As in the format's description.\n{name},")?;
    }
    text.push_str(
        "}\n\nimpl Message {\n/// What the field of this number holds; none when there is no such field.\n",
    );
    text.push_str(
        "pub(super) const fn field(self, number: u64) -> Option<Field> {\nmatch (self, number) {\n",
    );
    for (name, message) in &messages {
        for field in &message.field {
            let holds = match field.r#type() {
                Type::Message => format!("Field::Message(Self::{})", variant(field.type_name())),
                Type::String if matches!(field.name(), "doc_string" | "value") => "Field::Text".to_owned(),
                Type::String => "Field::Name".to_owned(),
                Type::Bytes => "Field::Bytes".to_owned(),
                Type::Float => "Field::Fixed32".to_owned(),
                Type::Double => "Field::Fixed64".to_owned(),
                _ => "Field::Varint".to_owned(),
            };
            writeln!(text, "(Self::{name}, {}) => Some({holds}),", field.number())?;
        }
    }
    text.push_str("_ => None,\n}\n}\n}\n");
    Ok(text)
}

fn collect<'a>(outer: &str, message: &'a DescriptorProto, found: &mut Vec<(String, &'a DescriptorProto)>) {
    let name = format!("{outer}{}", message.name());
    for inner in &message.nested_type {
        collect(&name, inner, found);
    }
    found.push((name, message));
}

/// `.onnx.TypeProto.Tensor` as `TypeProtoTensor`.
fn variant(type_name: &str) -> String {
    type_name.trim_start_matches(".onnx.").replace('.', "")
}
