//! Request ids, which make repeated requests harmless.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::error::{StoreError, shortened};

/// A caller's own id of a request: 1 to 128 printable ASCII characters, without spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

impl RequestId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the object that remembers the id: a digest, because the id itself may hold any separator.
    pub(crate) fn object_name(&self) -> String {
        format!("{}.json", Sha256Digest::of(self.0.as_bytes()))
    }
}

impl FromStr for RequestId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StoreError::Field {
                field: "request_id",
                value: shortened(text),
                rule: "use 1 to 128 printable ASCII characters without spaces, such as a UUID",
            })
        }
    }
}

impl TryFrom<String> for RequestId {
    type Error = StoreError;

    fn try_from(text: String) -> Result<Self, StoreError> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A request id together with what was asked for under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The caller's id.
    pub id: RequestId,
    /// Digest over everything that makes the request what it is: the file and its specification.
    pub content: Sha256Digest,
}
