//! Whether the imported network takes any number of images at once.

use crate::NetworkError;
use crate::onnx::shapes::BatchAxis;

/// What the file declares, against what follows from its nodes. True frees the axis, false fixes it to one.
///
/// A declared free axis is believed unless a node contradicts it; a fixed one is freed only on proof.
///
/// # Errors
/// [`NetworkError::Unsupported`] for a network bound to batches of another size than one.
pub(super) fn decide(declared: Option<u64>, proof: &BatchAxis) -> Result<bool, NetworkError> {
    match (declared, proof) {
        (None, BatchAxis::Free | BatchAxis::Unproven(_)) | (Some(_), BatchAxis::Free) => Ok(true),
        (None | Some(1), BatchAxis::FixedBy(_, 1)) | (Some(1), BatchAxis::Unproven(_)) => Ok(false),
        (_, BatchAxis::FixedBy(node, count)) => {
            Err(bound(format!("a network that node {node:?} binds to batches of {count}")))
        }
        (Some(count), BatchAxis::Unproven(node)) => Err(bound(format!(
            "a network for batches of exactly {count}, which cannot be freed because of node {node:?}"
        ))),
    }
}

fn bound(what: String) -> NetworkError {
    NetworkError::Unsupported { what, hint: "export it with a free batch axis, or for one image".to_owned() }
}
