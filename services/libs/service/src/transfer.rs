//! Files over streams: a client's chunks into a file, and a file into chunks for a client.
//!
//! Neither direction holds more than one chunk in memory, and an upload never grows past its limit.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::status::status_of;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tonic::Status;

use crate::configuration::ByteSize;

/// The largest chunk a client may send, and the size of those we send, in bytes.
pub const CHUNK: usize = 1 << 20;

/// Why a transfer ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// More bytes than allowed.
    #[error(
        "the file is larger than {limit}, the limit of this service: send a smaller one, or raise {setting}"
    )]
    TooLarge {
        /// The limit.
        limit: ByteSize,
        /// The setting that holds it.
        setting: &'static str,
    },
    /// A chunk is larger than the contract says.
    #[error("a chunk has {found} bytes: send at most {CHUNK} in each message")]
    Chunk {
        /// Its size.
        found: usize,
    },
    /// No bytes came.
    #[error("the file is empty: its first message must be followed by chunks with its content")]
    Empty,
    /// The file is not the one that was announced.
    #[error(
        "the file has the SHA-256 {found}, but {expected} was announced: it was damaged on the way, or is another file"
    )]
    Announced {
        /// What was announced.
        expected: String,
        /// What came.
        found: String,
    },
    /// The local disk failed.
    #[error("cannot {action} a temporary file: {source}")]
    Disk {
        /// `write` or `read`.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl Coded for TransferError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } | Self::Chunk { .. } => ErrorCode::TooLarge,
            Self::Empty => ErrorCode::InvalidField,
            Self::Announced { .. } => ErrorCode::DigestMismatch,
            Self::Disk { .. } => ErrorCode::Internal,
        }
    }
}

/// A file that was received whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// What an upload may be.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimit {
    /// The most bytes.
    pub bytes: ByteSize,
    /// The setting that holds the limit, for the error message.
    pub setting: &'static str,
}

/// Writes a client's chunks to `path`. Dropping the future, as when the client goes away, leaves a partial
/// file behind: `path` belongs into a folder that is removed with the request.
pub async fn receive<S>(mut chunks: S, path: &Path, limit: UploadLimit) -> Result<Received, Status>
where
    S: Stream<Item = Result<Bytes, Status>> + Unpin,
{
    let disk = |source| status_of(&TransferError::Disk { action: "write", source });
    let mut file = BufWriter::with_capacity(CHUNK, File::create_new(path).await.map_err(disk)?);
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if chunk.len() > CHUNK {
            return Err(status_of(&TransferError::Chunk { found: chunk.len() }));
        }
        size += chunk.len() as u64;
        if size > limit.bytes.get() {
            let UploadLimit { bytes, setting } = limit;
            return Err(status_of(&TransferError::TooLarge { limit: bytes, setting }));
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
    }
    if size == 0 {
        return Err(status_of(&TransferError::Empty));
    }
    file.flush().await.map_err(disk)?;
    Ok(Received { size, sha256: hex::encode(hash.finalize()) })
}

/// Holds a received file against what was announced, if anything was.
pub fn check_announced(received: &Received, announced: &str) -> Result<(), TransferError> {
    if announced.is_empty() || received.sha256.eq_ignore_ascii_case(announced) {
        return Ok(());
    }
    Err(TransferError::Announced { expected: announced.to_owned(), found: received.sha256.clone() })
}

/// SHA-256 of a file, lower-case hexadecimal.
pub async fn digest(path: &Path) -> Result<String, TransferError> {
    let disk = |source| TransferError::Disk { action: "read", source };
    let mut file = File::open(path).await.map_err(disk)?;
    let mut hash = Sha256::new();
    let mut chunk = BytesMut::with_capacity(CHUNK);
    while file.read_buf(&mut chunk).await.map_err(disk)? > 0 {
        hash.update(&chunk);
        chunk.clear();
    }
    Ok(hex::encode(hash.finalize()))
}

/// The content of a file in chunks. `guard` lives as long as the stream: the folder the file is in, say.
pub fn send<G>(path: PathBuf, guard: G) -> impl Stream<Item = Result<Bytes, Status>> + Send
where
    G: Send + 'static,
{
    enum Step {
        Open(PathBuf),
        Read(File),
    }
    stream::try_unfold((Step::Open(path), guard), |(step, guard)| async move {
        let disk = |source| status_of(&TransferError::Disk { action: "read", source });
        let mut file = match step {
            Step::Open(path) => File::open(path).await.map_err(disk)?,
            Step::Read(file) => file,
        };
        let mut chunk = BytesMut::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            if file.read_buf(&mut chunk).await.map_err(disk)? == 0 {
                break;
            }
        }
        Ok((!chunk.is_empty()).then(|| (chunk.freeze(), (Step::Read(file), guard))))
    })
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use gifthorse_api::status::code_of;

    use super::*;

    const LIMIT: UploadLimit =
        UploadLimit { bytes: ByteSize::bytes(3_000_000), setting: "import.file_bytes" };

    fn chunks(parts: &[usize]) -> impl Stream<Item = Result<Bytes, Status>> + Unpin + use<> {
        stream::iter(parts.iter().map(|size| Ok(Bytes::from(vec![7; *size]))).collect::<Vec<_>>())
    }

    #[tokio::test]
    async fn a_file_comes_and_goes_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let received = receive(chunks(&[CHUNK, CHUNK, 5]), &path, LIMIT).await.unwrap();
        assert_eq!(received.size, 2 * CHUNK as u64 + 5);
        assert!(check_announced(&received, &received.sha256.to_uppercase()).is_ok());
        assert!(check_announced(&received, "").is_ok());
        assert!(check_announced(&received, "00").is_err());
        let sent: Vec<Bytes> = send(path, folder).try_collect().await.unwrap();
        assert_eq!(sent.iter().map(Bytes::len).collect::<Vec<_>>(), [CHUNK, CHUNK, 5]);
        assert_eq!(hex::encode(Sha256::digest(sent.concat())), received.sha256);
    }

    #[tokio::test]
    async fn limits_hold_while_the_file_grows() {
        let folder = tempfile::tempdir().unwrap();
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])));
        let refused = receive(endless, &folder.path().join("a"), LIMIT).await.unwrap_err();
        assert_eq!(code_of(&refused), Some(ErrorCode::TooLarge));
        assert!(refused.message().contains("import.file_bytes"), "{}", refused.message());
        assert!(folder.path().join("a").metadata().unwrap().len() <= LIMIT.bytes.get());
        let refused = receive(chunks(&[CHUNK + 1]), &folder.path().join("b"), LIMIT).await.unwrap_err();
        assert_eq!(code_of(&refused), Some(ErrorCode::TooLarge));
        let refused = receive(chunks(&[]), &folder.path().join("c"), LIMIT).await.unwrap_err();
        assert_eq!(code_of(&refused), Some(ErrorCode::InvalidField));
    }
}
