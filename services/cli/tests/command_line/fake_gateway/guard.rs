//! Classifies a picture by its first byte; the picture `bad` is refused, `break` breaks the stream.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::classify_stream_response::Outcome;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};

use super::{Memory, Seen};

pub(super) struct Guard(pub(super) Memory);

#[tonic::async_trait]
impl v1::guard_server::Guard for Guard {
    async fn classify(
        &self,
        _: Request<v1::ClassifyRequest>,
    ) -> Result<Response<v1::ClassifyResponse>, Status> {
        Err(gifthorse_api::status::not_built("Classify"))
    }

    type ClassifyStreamStream = std::pin::Pin<
        Box<dyn tokio_stream::Stream<Item = Result<v1::ClassifyStreamResponse, Status>> + Send>,
    >;

    async fn classify_stream(
        &self,
        request: Request<Streaming<v1::ClassifyStreamRequest>>,
    ) -> Result<Response<Self::ClassifyStreamStream>, Status> {
        let memory = self.0.clone();
        let answers = request.into_inner().map(move |message| {
            let v1::ClassifyStreamRequest { id, request } = message?;
            let request = request.ok_or_else(|| Status::invalid_argument("no request"))?;
            memory.note(Seen::Classify(request.clone()));
            Ok(v1::ClassifyStreamResponse { id, outcome: Some(answer(&request)?) })
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

fn answer(request: &v1::ClassifyRequest) -> Result<Outcome, Status> {
    let Some(Input::Image(picture)) = &request.input else {
        return Err(Status::invalid_argument("no picture"));
    };
    match &picture[..] {
        b"bad" => Ok(Outcome::Error(v1::ItemError {
            status: tonic::Code::InvalidArgument.into(),
            reason: ErrorCode::ImageInvalid.to_string(),
            message: "it is not a picture".to_owned(),
        })),
        b"break" => Err(gifthorse_api::status::status(ErrorCode::Draining, "the gateway stops")),
        picture => {
            let label = i32::from(picture.first().map_or(0, |byte| byte - b'0'));
            let name = format!("class {label}");
            Ok(Outcome::Response(v1::ClassifyResponse {
                model_version: format!("{}/versions/1", request.model),
                label,
                label_name: name.clone(),
                probability: 0.75,
                verdict: v1::verdict::Kind::Unguarded.into(),
                network_label: label,
                top: vec![v1::ClassProbability { label, label_name: name, probability: 0.75 }],
                ..Default::default()
            }))
        }
    }
}
