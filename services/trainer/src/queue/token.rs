//! Lease tokens: random, and kept as digests alone, so that a copy of the database gives nobody a lease.

use sha2::{Digest, Sha256};

use crate::error::TrainerError;

const BYTES: usize = 32;

/// What a worker proves its lease with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LeaseToken(String);

impl std::fmt::Debug for LeaseToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LeaseToken([redacted])")
    }
}

impl LeaseToken {
    /// A new one, which nobody can guess.
    pub(crate) fn random() -> Result<Self, TrainerError> {
        Ok(Self(hex::encode(random::<BYTES>()?)))
    }

    /// What a worker sent; what cannot be a token is a lost lease like any other.
    pub(crate) fn given(text: &str) -> Result<Self, TrainerError> {
        let valid = text.len() == 2 * BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if valid { Ok(Self(text.to_owned())) } else { Err(TrainerError::LeaseLost) }
    }

    /// The text that the worker gets.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept.
    pub(crate) fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const COUNT: usize>() -> Result<[u8; COUNT], TrainerError> {
    let mut bytes = [0; COUNT];
    let mut filled = 0;
    while filled < COUNT {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        match rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Err(TrainerError::Internal("asking the system for random bytes")),
        }
    }
    Ok(bytes)
}
