//! Identifiers that no other process makes.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

static MADE: AtomicU64 = AtomicU64::new(0);

/// 32 lower-case hexadecimal characters, unique among all processes that share a store.
///
/// Mixed from the system's randomness, the time, the process and a counter. Unique, not secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UniqueId(String);

impl UniqueId {
    const LENGTH: usize = 32;

    /// A new one.
    pub(crate) fn new() -> Self {
        let seed = format!(
            "{:x} {:x} {} {} {}",
            RandomState::new().build_hasher().finish(),
            RandomState::new().build_hasher().finish(),
            Timestamp::now(),
            process::id(),
            MADE.fetch_add(1, Ordering::Relaxed),
        );
        let mut text = Sha256Digest::of(seed.as_bytes()).to_string();
        text.truncate(Self::LENGTH);
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UniqueId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let valid =
            text.len() == Self::LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is not an id of 32 hexadecimal characters"))
        }
    }
}

impl From<UniqueId> for String {
    fn from(id: UniqueId) -> Self {
        id.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
