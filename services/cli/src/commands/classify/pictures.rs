//! Local pictures, read one after the other.

use std::io;
use std::path::Path;

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use tokio::io::AsyncReadExt;

use crate::error::CommandError;
use crate::output::report::ErrorObject;

/// The largest picture sent, in bytes. Services take messages of 64 MiB; a larger one would end the whole
/// stream instead of being refused by itself.
pub(super) const LARGEST: u64 = 60 << 20;

/// Reads one file.
pub(super) async fn read(path: &Path) -> Result<Bytes, ErrorObject> {
    let content = read_at_most(path, LARGEST + 1).await.map_err(|source| {
        let path = path.to_owned();
        ErrorObject::from(&CommandError::LocalFile { path, source })
    })?;
    if content.len() as u64 > LARGEST {
        return Err(ErrorObject {
            code: ErrorCode::TooLarge.to_string(),
            status: crate::grpc_code::name(tonic::Code::InvalidArgument),
            message: format!(
                "{} has more than {LARGEST} bytes, the most that one request takes: send a smaller picture",
                path.display()
            ),
        });
    }
    Ok(content.into())
}

async fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content).await?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_read_and_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, b"picture").unwrap();
        assert_eq!(read(&path).await.unwrap(), b"picture".as_slice());
        let error = read(&folder.path().join("b.png")).await.unwrap_err();
        assert!(error.message.contains("b.png"), "{}", error.message);
        assert_eq!(read(folder.path()).await.unwrap_err().code, "INVALID_FIELD");
    }

    #[tokio::test]
    async fn a_picture_beyond_the_limit_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read(&path).await.unwrap_err().code, "TOO_LARGE");
    }
}
