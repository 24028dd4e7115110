//! The server and what is sent to it again and again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::model_infer_request::InferInputTensor;
use gifthorse_api::inference::{ModelInferRequest, ModelMetadataRequest, ModelReadyRequest};
use tonic::transport::{Channel, Endpoint};

use crate::LoadError;
use crate::call::{ANSWER_LIMIT_BYTES, Call};
use crate::options::{Options, seconds};
use crate::scans;

/// Wide enough that answers never wait for window updates at any concurrency worth measuring.
const WINDOW_BYTES: u32 = 8 << 20;

/// How long a server that is not ready is left alone.
const POLL: Duration = Duration::from_millis(50);

/// The connections and what is asked over them.
#[derive(Debug)]
pub(crate) struct Target {
    /// The connections.
    pub(crate) channels: Vec<Channel>,
    /// What is asked.
    pub(crate) call: Call,
    /// Rows in a request.
    pub(crate) rows: u64,
}

impl Target {
    /// Connects and makes what the options ask for.
    pub(crate) async fn discover(options: &Options) -> Result<Self, LoadError> {
        if !options.scan {
            wait_until_ready(options).await?;
        }
        let mut channels = Vec::with_capacity(options.connections.get());
        for _ in 0..options.connections.get() {
            channels.push(connect(options).await?);
        }
        if options.scan {
            return Ok(Self { channels, call: Call::Scan(scans::requests(options)?), rows: 1 });
        }
        let (request, rows) = inference(options, channels[0].clone()).await?;
        Ok(Self { channels, call: Call::Infer(Box::new(request)), rows })
    }
}

/// A request that fits the model's first input, and its rows.
async fn inference(options: &Options, channel: Channel) -> Result<(ModelInferRequest, u64), LoadError> {
    let asked = ModelMetadataRequest { name: options.model.clone(), version: options.version.clone() };
    let metadata = GrpcInferenceServiceClient::new(channel)
        .max_decoding_message_size(ANSWER_LIMIT_BYTES)
        .model_metadata(asked)
        .await
        .map_err(|status| LoadError::Describe { model: options.model.clone(), source: Box::new(status) })?
        .into_inner();
    let Some(input) = metadata.inputs.into_iter().next() else {
        return Err(LoadError::Options(format!("model {} has no inputs", options.model)));
    };
    let shape = if options.shape.is_empty() {
        filled(&input.shape, options.rows.get() as i64)?
    } else {
        options.shape.clone()
    };
    let rows = shape.first().copied().unwrap_or(1).unsigned_abs();
    let content = content(options, &input.datatype, &shape)?;
    let tensor = InferInputTensor { name: input.name, datatype: input.datatype, shape, ..Default::default() };
    let request = ModelInferRequest {
        model_name: options.model.clone(),
        model_version: options.version.clone(),
        inputs: vec![tensor],
        raw_input_contents: vec![content],
        ..Default::default()
    };
    Ok((request, rows))
}

/// Polls until the model is ready or the wait is over; what is then wrong shows in the calls that follow.
async fn wait_until_ready(options: &Options) -> Result<(), LoadError> {
    let deadline = Instant::now() + seconds("--wait", options.wait)?;
    while Instant::now() < deadline {
        if let Ok(channel) = connect(options).await {
            let mut client = GrpcInferenceServiceClient::new(channel);
            let asked = ModelReadyRequest { name: options.model.clone(), version: options.version.clone() };
            if client.model_ready(asked).await.is_ok_and(|answer| answer.get_ref().ready) {
                break;
            }
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn connect(options: &Options) -> Result<Channel, LoadError> {
    let failed = |source| LoadError::Connect { address: options.address.clone(), source };
    let timeout = seconds("--timeout", options.timeout)?;
    Endpoint::from_shared(format!("http://{}", options.address))
        .map_err(failed)?
        .timeout(timeout)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .connect()
        .await
        .map_err(failed)
}

/// The model's shape with `rows` on a free batch axis.
fn filled(shape: &[i64], rows: i64) -> Result<Vec<i64>, LoadError> {
    let mut filled = shape.to_vec();
    match filled.first_mut() {
        Some(first) if *first < 0 => *first = rows,
        Some(first) if rows != 1 && *first != rows => {
            return Err(LoadError::Options(format!("--rows {rows}: the model takes {first} rows only")));
        }
        _ => {}
    }
    if filled.iter().any(|length| *length < 0) {
        return Err(LoadError::Options(format!("the model leaves axes of {shape:?} free: give --shape")));
    }
    Ok(filled)
}

fn content(options: &Options, datatype: &str, shape: &[i64]) -> Result<Bytes, LoadError> {
    if let Some(file) = &options.input {
        return std::fs::read(file)
            .map(Bytes::from)
            .map_err(|source| LoadError::Io { what: format!("cannot read {}", file.display()), source });
    }
    let count = shape.iter().product::<i64>().unsigned_abs() as usize;
    let mut random = SplitMix(1);
    match datatype {
        "FP32" => Ok((0..count).flat_map(|_| random.unit().to_le_bytes()).collect()),
        "FP64" => Ok((0..count).flat_map(|_| f64::from(random.unit()).to_le_bytes()).collect()),
        "UINT8" => Ok((0..count).map(|_| random.next() as u8).collect()),
        other => Err(LoadError::Options(format!("no random content for {other}: give --input"))),
    }
}

/// The `SplitMix64` generator, good enough for test images and the same on every machine.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, 1)`, exact in 24 bits.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fill_the_free_batch_axis_and_no_other() {
        assert_eq!(filled(&[-1, 55, 47, 3], 4).unwrap(), [4, 55, 47, 3]);
        assert_eq!(filled(&[2, 5], 1).unwrap(), [2, 5]);
        assert!(filled(&[2, 5], 3).is_err());
        assert!(filled(&[-1, -1, 3], 1).is_err());
    }

    #[test]
    fn random_pixels_lie_in_the_unit_interval_and_differ() {
        let mut random = SplitMix(1);
        let pixels: Vec<f32> = (0..1000).map(|_| random.unit()).collect();
        assert!(pixels.iter().all(|pixel| (0.0..1.0).contains(pixel)));
        let mean = pixels.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "mean {mean}");
    }
}
