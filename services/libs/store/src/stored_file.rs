//! What is recorded of a stored file, and the set of files of an artefact.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::Sha256Digest;
use crate::file_name::FileName;

/// Size and digest of a stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: Sha256Digest,
}

impl StoredFile {
    /// What would be recorded of this content, read to its end. Blocks while it reads.
    pub fn of(content: &mut impl Read) -> io::Result<Self> {
        const PART: usize = 1 << 16;

        let (mut hasher, mut size) = (Sha256::new(), 0);
        let mut part = vec![0; PART];
        loop {
            let count = content.read(&mut part)?;
            if count == 0 {
                return Ok(Self { size, sha256: Sha256Digest::of_hasher(hasher) });
            }
            size += count as u64;
            hasher.update(part.get(..count).unwrap_or_default());
        }
    }
}

/// The files of an artefact, by name.
pub type StoredFiles = BTreeMap<FileName, StoredFile>;

/// The identity of a set of files: SHA-256 over the lines `NAME SHA256`, sorted by name.
pub fn content_digest(files: &StoredFiles) -> Sha256Digest {
    let mut lines = String::new();
    for (name, file) in files {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{name} {}", file.sha256);
    }
    Sha256Digest::of(lines.as_bytes())
}
