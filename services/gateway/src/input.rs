//! The image of a request, made into the numbers its network takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::{invalid_field, status, status_of};
use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_dataset::picture::{PictureError, PictureLimits, read_picture};
use gifthorse_dataset::prepare::{ImageTensor, prepare_picture};
use gifthorse_dataset::preprocessing::Preprocessing;
use gifthorse_dataset::{wire, wire_tensor};
use tokio::sync::Semaphore;
use tonic::Status;

/// One image ready for inference, and what making it ready took.
#[derive(Debug)]
pub(crate) struct PreparedInput {
    pub(crate) tensor: ImageTensor,
    pub(crate) decode: Duration,
    pub(crate) preprocess: Duration,
}

/// Decodes pictures on the blocking threads, a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    limits: PictureLimits,
    permits: Arc<Semaphore>,
}

impl Preparation {
    pub(crate) fn new(limits: PictureLimits, concurrent: usize) -> Self {
        Self { limits, permits: Arc::new(Semaphore::new(concurrent)) }
    }

    /// Makes the input of a request ready for a network with this record.
    pub(crate) async fn prepare(
        &self,
        input: Option<Input>,
        overrides: Option<v1::PreprocessingOverride>,
        record: &Preprocessing,
    ) -> Result<PreparedInput, Status> {
        let overrides = overrides.unwrap_or_default();
        let record = wire::overridden(record, &overrides).map_err(|error| status_of(&error))?;
        let limits = self.limits;
        if let Some(Input::Image(file)) = &input
            && file.len() as u64 > limits.max_bytes
        {
            let error = PictureError::TooManyBytes { found: file.len() as u64, limit: limits.max_bytes };
            return Err(status_of(&error));
        }
        // The permit bounds memory, not time: a request whose caller goes away while it waits leaves the line,
        // but a decoder that has begun holds its place to the end, whoever has gone.
        let closed = |_| status(ErrorCode::Draining, "the gateway is stopping");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(closed)?;
        let work = move || {
            let _permit = permit;
            prepared(input, &overrides, &record, &limits)
        };
        let ended = tokio::task::spawn_blocking(work).await;
        ended.map_err(|_| status(ErrorCode::Internal, "preparing the image failed unexpectedly"))?
    }
}

fn prepared(
    input: Option<Input>,
    overrides: &v1::PreprocessingOverride,
    record: &Preprocessing,
    limits: &PictureLimits,
) -> Result<PreparedInput, Status> {
    match input {
        Some(Input::Image(file)) => from_picture(&file, record, limits),
        Some(Input::Tensor(tensor)) => from_tensor(&tensor, overrides.layout, record),
        None => Err(invalid_field("input", "is missing: send an image or a tensor")),
    }
}

fn from_picture(
    file: &Bytes,
    record: &Preprocessing,
    limits: &PictureLimits,
) -> Result<PreparedInput, Status> {
    let started = Instant::now();
    let picture = read_picture(file, limits).map_err(|error: PictureError| status_of(&error))?;
    let decode = started.elapsed();
    let started = Instant::now();
    let tensor = prepare_picture(&picture, record).map_err(|error| status_of(&error))?;
    Ok(PreparedInput { tensor, decode, preprocess: started.elapsed() })
}

fn from_tensor(
    message: &v1::ImageTensor,
    layout: i32,
    record: &Preprocessing,
) -> Result<PreparedInput, Status> {
    let started = Instant::now();
    let tensor = wire_tensor::prepare(message, layout, record).map_err(|error| status_of(&error))?;
    Ok(PreparedInput { tensor, decode: Duration::ZERO, preprocess: started.elapsed() })
}

#[cfg(test)]
mod tests {
    use gifthorse_api::status::code_of;
    use gifthorse_dataset::preprocessing::Layout;
    use gifthorse_dataset::wire::NetworkInput;

    use super::*;

    fn record() -> Preprocessing {
        let input = NetworkInput { height: 2, width: 1, channels: 3, layout: Layout::Nhwc };
        wire::complete(&v1::Preprocessing::default(), input).unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the field it fills is optional")]
    fn tensor(shape: &[i32], content: v1::image_tensor::Content, data: Vec<u8>) -> Option<Input> {
        Some(Input::Tensor(v1::ImageTensor {
            shape: shape.to_vec(),
            content: content.into(),
            data: data.into(),
        }))
    }

    async fn prepare(input: Option<Input>, layout: i32) -> Result<PreparedInput, Status> {
        let overrides = v1::PreprocessingOverride { layout, ..Default::default() };
        Preparation::new(PictureLimits::default(), 1).prepare(input, Some(overrides), &record()).await
    }

    #[tokio::test]
    async fn pixels_are_scaled_and_put_into_the_model_layout() {
        use v1::image_tensor::Content;
        let bytes = vec![0, 255, 51, 102, 0, 255];
        let last = prepare(tensor(&[2, 1, 3], Content::PixelsUint8, bytes.clone()), 0).await.unwrap();
        assert_eq!(last.tensor.values(), [0.0, 1.0, 0.2, 0.4, 0.0, 1.0]);
        let nchw = v1::layout::Kind::Nchw.into();
        let first = prepare(tensor(&[3, 2, 1], Content::PixelsUint8, bytes), nchw).await.unwrap();
        assert_eq!(first.tensor.values(), [0.0, 0.2, 0.0, 1.0, 0.4, 1.0]);
    }

    #[tokio::test]
    async fn each_fault_has_its_own_code() {
        use v1::image_tensor::Content;
        let nan = f32::NAN.to_le_bytes().repeat(6);
        let nchw = v1::layout::Kind::Nchw.into();
        for (input, layout, expected) in [
            (None, 0, ErrorCode::InvalidField),
            (tensor(&[2, 1, 3], Content::Unspecified, vec![0; 6]), 0, ErrorCode::InvalidField),
            (tensor(&[2, 1, 3], Content::PixelsUint8, vec![0; 5]), 0, ErrorCode::TensorLength),
            (tensor(&[2, 1, 3], Content::PixelsFp32, vec![0; 23]), 0, ErrorCode::TensorLength),
            (tensor(&[2, 2, 3], Content::PreparedFp32, vec![0; 48]), 0, ErrorCode::TensorShape),
            (tensor(&[-2, 1, 3], Content::PixelsUint8, vec![0; 6]), 0, ErrorCode::InvalidField),
            (tensor(&[2, 1, 3], Content::PreparedFp32, nan), 0, ErrorCode::TensorNotFinite),
            (tensor(&[3, 2, 1], Content::PreparedFp32, vec![0; 24]), nchw, ErrorCode::InvalidField),
            (Some(Input::Image(Bytes::from_static(b"not a picture"))), 0, ErrorCode::ImageInvalid),
        ] {
            let refused = prepare(input.clone(), layout).await.unwrap_err();
            assert_eq!(code_of(&refused), Some(expected), "{input:?}: {}", refused.message());
        }
    }
}
