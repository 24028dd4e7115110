//! One request and what became of it.

use gifthorse_api::inference::ModelInferRequest;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::v1::ScanRequest;
use gifthorse_api::v1::detection_client::DetectionClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::scans::Scan;

/// Answers larger than this are refused by the client.
pub(crate) const ANSWER_LIMIT_BYTES: usize = 64 << 20;

/// What is asked again and again. A clone of a request copies no tensor.
#[derive(Debug)]
pub(crate) enum Call {
    /// The same inference.
    Infer(Box<ModelInferRequest>),
    /// Scans of these images in turn; at least one.
    Scan(Vec<ScanRequest>),
}

/// What became of a request.
#[derive(Debug)]
pub(crate) struct Answered {
    /// `Ok`, or why it was refused. `DataLoss` is an answer without content, which would make any server look
    /// fast.
    pub(crate) code: Code,
    /// What a scan found.
    pub(crate) scan: Option<Scan>,
}

impl Call {
    /// Makes the call whose turn it is, counted from 0.
    pub(crate) async fn make(&self, channel: &Channel, turn: u64) -> Answered {
        match self {
            Self::Infer(request) => {
                let mut client = GrpcInferenceServiceClient::new(channel.clone())
                    .max_decoding_message_size(ANSWER_LIMIT_BYTES);
                let code = match client.model_infer(request.as_ref().clone()).await {
                    Ok(answer) if answer.get_ref().outputs.is_empty() => Code::DataLoss,
                    Ok(_) => Code::Ok,
                    Err(status) => status.code(),
                };
                Answered { code, scan: None }
            }
            Self::Scan(requests) => {
                let image = turn as usize % requests.len();
                let answer = DetectionClient::new(channel.clone()).scan(requests[image].clone()).await;
                let (code, scan) = match answer {
                    Ok(answer) => match Scan::of(image, answer.get_ref()) {
                        Some(scan) => (Code::Ok, Some(scan)),
                        None => (Code::DataLoss, None),
                    },
                    Err(status) => (status.code(), None),
                };
                Answered { code, scan }
            }
        }
    }
}
