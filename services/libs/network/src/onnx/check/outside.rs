//! Data kept outside the file: always refused, because the name of another file is the sender's to choose.

use crate::NetworkError;
use crate::onnx::messages::TensorProto;
use crate::onnx::messages::tensor_proto::DataLocation;

pub(super) fn check(tensor: &TensorProto) -> Result<(), NetworkError> {
    if tensor.external_data.is_empty() && tensor.data_location == i32::from(DataLocation::Default) {
        return Ok(());
    }
    let entry = tensor.external_data.iter().find(|entry| entry.key == "location");
    let location = entry.map_or("", |entry| entry.value.as_str());
    Err(NetworkError::Refused {
        what: format!(
            "data of tensor {:?} outside the file, at {:?}{}",
            tensor.name,
            shortened(location),
            note(location)
        ),
        reason: "only self-contained files are taken; make it one file with Python: \
                 onnx.save(onnx.load(\"model.onnx\"), \"single.onnx\", save_as_external_data=False)"
            .to_owned(),
    })
}

/// What is odd about a location, where something is.
fn note(location: &str) -> &'static str {
    let mut steps = location.split(['/', '\\']);
    if location.starts_with(['/', '\\']) || location.chars().nth(1) == Some(':') {
        " (an absolute path)"
    } else if steps.any(|step| step == "..") {
        " (a path that leaves the model's folder)"
    } else {
        ""
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}
