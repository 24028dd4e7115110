//! Local pictures, read one after the other, and decoded where a service takes only numbers.

use std::io;
use std::path::Path;

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_dataset::picture::{Picture, PictureError, PictureLimits, PixelFormat, read_picture};
use tokio::io::AsyncReadExt;

use crate::error::CommandError;
use crate::output::report::ErrorObject;

/// The largest picture sent, in bytes. Services take messages of 64 MiB; a larger one would end the whole
/// stream instead of being refused by itself.
const LARGEST: u64 = 60 << 20;

/// Reads one file.
pub(super) async fn read(path: &Path) -> Result<Bytes, ErrorObject> {
    let content = read_at_most(path, LARGEST + 1).await.map_err(|source| {
        let path = path.to_owned();
        ErrorObject::from(&CommandError::LocalFile { path, source })
    })?;
    if content.len() as u64 > LARGEST {
        return Err(too_large(path, "bytes"));
    }
    Ok(content.into())
}

/// Reads and decodes one file: pixels of `[H, W, C]` with the channels red, green, blue (and alpha), or grey;
/// turned upright where the network's record asks for that.
pub(super) async fn decode(path: &Path, upright: bool) -> Result<v1::ImageTensor, ErrorObject> {
    let content = read(path).await?;
    let decoding = tokio::task::spawn_blocking(move || {
        let picture = read_picture(&content, &PictureLimits::default())?;
        Ok(if upright && picture.is_turned() { picture.upright() } else { picture })
    });
    let picture = match decoding.await {
        Ok(decoded) => decoded.map_err(|error: PictureError| ErrorObject::of(&error))?,
        Err(error) => return Err(ErrorObject::from(&CommandError::Reader(error))),
    };
    let tensor = pixels(&picture);
    if tensor.data.len() as u64 > LARGEST {
        return Err(too_large(path, "bytes once it is decoded"));
    }
    Ok(tensor)
}

fn pixels(picture: &Picture) -> v1::ImageTensor {
    let (data, channels) = match picture.format() {
        // Services know no grey with alpha.
        PixelFormat::GreyAlpha => {
            let widened = picture.samples().chunks_exact(2).flat_map(|pixel| match *pixel {
                [grey, alpha] => [grey, grey, grey, alpha],
                _ => [0; 4],
            });
            (widened.collect(), 4)
        }
        format => (picture.samples().to_vec(), format.channels()),
    };
    v1::ImageTensor {
        shape: [picture.height(), picture.width(), channels].map(|side| side as i32).to_vec(),
        content: v1::image_tensor::Content::PixelsUint8.into(),
        data: Bytes::from(data),
    }
}

fn too_large(path: &Path, what: &str) -> ErrorObject {
    ErrorObject {
        code: ErrorCode::TooLarge.to_string(),
        status: crate::grpc_code::name(tonic::Code::InvalidArgument),
        message: format!(
            "{} has more than {LARGEST} {what}, the most that one request takes: send a smaller picture",
            path.display()
        ),
    }
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

    /// A bitmap of one row: red, green.
    const BITMAP: &[u8] =
        b"BM\x3e\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x08\0\0\0\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\0\xff\0\0\0";

    #[tokio::test]
    async fn a_picture_becomes_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bmp");
        std::fs::write(&path, BITMAP).unwrap();
        let tensor = decode(&path, false).await.unwrap();
        assert_eq!((tensor.shape, &tensor.data[..]), (vec![1, 2, 3], [255, 0, 0, 0, 255, 0].as_slice()));
        std::fs::write(&path, b"no picture").unwrap();
        assert_eq!(decode(&path, false).await.unwrap_err().code, "IMAGE_INVALID");
    }

    #[tokio::test]
    async fn a_picture_beyond_the_limit_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read(&path).await.unwrap_err().code, "TOO_LARGE");
    }
}
