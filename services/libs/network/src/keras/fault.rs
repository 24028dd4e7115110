//! Short ways to the errors of this room.

use crate::NetworkError;

/// The file contradicts itself or its kind.
pub(super) fn damaged(fault: impl Into<String>) -> NetworkError {
    NetworkError::Damaged { fault: fault.into() }
}

/// Something Keras knows and this reader does not.
pub(super) fn unsupported(what: impl Into<String>, hint: impl Into<String>) -> NetworkError {
    NetworkError::Unsupported { what: what.into(), hint: hint.into() }
}

/// Something that would need foreign code.
pub(super) fn refused(what: impl Into<String>) -> NetworkError {
    NetworkError::Refused {
        what: what.into(),
        reason:
            "it stands for Python code that would have to run; rebuild the network from Keras's own layers"
                .to_owned(),
    }
}

/// A text of the file, short enough for a message.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
