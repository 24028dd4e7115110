//! From bytes to messages, within limits.

use prost::Message as _;

use super::messages::ModelProto;
use super::{Limits, census, foreign};
use crate::NetworkError;

/// Decodes a file; the messages are complete but nothing they say is checked yet.
///
/// # Errors
/// [`NetworkError::TooLarge`] beyond a limit, [`NetworkError::Damaged`] for everything that is not an ONNX
/// file: an empty or cut-off one, and files of other kinds, which are named where they can be told.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<ModelProto, NetworkError> {
    if bytes.is_empty() {
        return Err(NetworkError::Damaged { fault: "the file is empty, 0 bytes".to_owned() });
    }
    let found = bytes.len() as u64;
    if found > limits.file_bytes {
        let what = "size of the file in bytes".to_owned();
        return Err(NetworkError::TooLarge { what, found, limit: limits.file_bytes });
    }
    if let Some(kind) = foreign::kind_of(bytes) {
        return Err(NetworkError::Damaged { fault: format!("this is {kind}") });
    }
    census::take(bytes, limits)?;
    ModelProto::decode(bytes).map_err(|error| NetworkError::Damaged { fault: error.to_string() })
}
