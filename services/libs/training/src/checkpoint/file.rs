//! A checkpoint as bytes: a mark, the length of the header, the header as JSON, the numbers, a digest.

use sha2::{Digest as _, Sha256};

use super::{Checkpoint, Header};
use crate::error::TrainingError;

/// The first bytes of a checkpoint; the last one is the version of the form.
const MARK: &[u8; 8] = b"GHTRAIN\x01";
const DIGEST_BYTES: usize = 32;

#[cfg(target_endian = "big")]
compile_error!("checkpoints hold little-endian numbers as they lie in memory");

impl Checkpoint {
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, TrainingError> {
        let header = serde_json::to_vec(&self.header).map_err(|error| fault(error.to_string()))?;
        let mut bytes = Vec::with_capacity(MARK.len() + 8 + header.len() + self.data.len() + DIGEST_BYTES);
        bytes.extend(MARK);
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header);
        bytes.extend(self.data);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        Ok(bytes)
    }

    /// Reads what [`Trainer::checkpoint`](crate::Trainer::checkpoint) wrote.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] for anything else, and for a single changed bit.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrainingError> {
        let short = || fault("it is cut off".to_owned());
        let body = bytes.len().checked_sub(DIGEST_BYTES).ok_or_else(short)?;
        let (body, digest) = bytes.split_at(body);
        let rest =
            body.strip_prefix(MARK).ok_or_else(|| fault("it is no checkpoint of this version".to_owned()))?;
        if Sha256::digest(body)[..] != *digest {
            return Err(fault("its digest is another one: it is damaged or cut off".to_owned()));
        }
        let (length, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
        let (header, data) = rest.split_at_checked(length).ok_or_else(short)?;
        let header: Header = serde_json::from_slice(header).map_err(|error| fault(error.to_string()))?;
        Ok(Self { header, data: data.to_vec() })
    }
}

fn fault(fault: String) -> TrainingError {
    TrainingError::Checkpoint { fault }
}
