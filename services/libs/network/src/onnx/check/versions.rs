//! Versions of the format and of the operators.

use std::ops::RangeInclusive;

use crate::NetworkError;
use crate::onnx::messages::ModelProto;

/// Versions of the file format that the inference engine reads; older ones name no operator set.
pub const IR_VERSIONS: RangeInclusive<i64> = 3..=13;
/// Versions of the standard operators that the inference engine promises to run.
pub const OPSETS: RangeInclusive<i64> = 7..=26;

/// Whether this domain is the one of the standard operators, which has two spellings.
pub(in crate::onnx) fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// Version of the standard operators; none when the model imports none, or two that disagree.
pub(crate) fn opset(model: &ModelProto) -> Option<i64> {
    let mut standard = model.opset_import.iter().filter(|import| is_standard(&import.domain));
    let version = standard.next()?.version;
    standard.all(|import| import.version == version).then_some(version)
}

pub(super) fn check(model: &ModelProto) -> Result<(), NetworkError> {
    if !IR_VERSIONS.contains(&model.ir_version) {
        return Err(unsupported("format (IR) version", model.ir_version, &IR_VERSIONS));
    }
    let Some(version) = opset(model) else {
        let fault = "opset_import does not name one version of the standard operators".to_owned();
        return Err(NetworkError::Damaged { fault });
    };
    if !OPSETS.contains(&version) {
        return Err(unsupported("opset", version, &OPSETS));
    }
    Ok(())
}

fn unsupported(what: &str, version: i64, range: &RangeInclusive<i64>) -> NetworkError {
    NetworkError::Unsupported {
        what: format!("{what} {version}"),
        hint: format!("export the network with a version from {} to {}", range.start(), range.end()),
    }
}
