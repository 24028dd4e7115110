//! The `Guard` service: unary and streamed.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::classify_stream_response::Outcome;
use gifthorse_api::v1::guard_server::Guard;
use gifthorse_service::request::Caller;
use tonic::{Request, Response, Status, Streaming};

use crate::classify::Classifier;

/// Images of one stream that are being classified at once; more wait in the connection.
const STREAM_WINDOW: usize = 8;

/// Serves `gifthorse.v1.Guard`.
#[derive(Debug, Clone)]
pub(crate) struct GuardService {
    classifier: Arc<Classifier>,
}

impl GuardService {
    pub(crate) fn new(classifier: Classifier) -> Self {
        Self { classifier: Arc::new(classifier) }
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<v1::ClassifyStreamResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Guard for GuardService {
    type ClassifyStreamStream = Answers;

    async fn classify(
        &self,
        request: Request<v1::ClassifyRequest>,
    ) -> Result<Response<v1::ClassifyResponse>, Status> {
        let caller = Caller::of(&request);
        self.classifier.classify(request.into_inner(), &caller).await.map(Response::new)
    }

    async fn classify_stream(
        &self,
        request: Request<Streaming<v1::ClassifyStreamRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let classifier = Arc::clone(&self.classifier);
        let caller = Caller::of(&request);
        let answers = request.into_inner().map(move |item| {
            let (classifier, caller) = (Arc::clone(&classifier), caller.clone());
            async move {
                // An item that cannot be read ends the stream; one that is refused is answered in it.
                let item = item?;
                let answered = classifier.classify(item.request.unwrap_or_default(), &caller).await;
                let outcome = Some(match answered {
                    Ok(response) => Outcome::Response(response),
                    Err(refused) => Outcome::Error(item_error(&refused)),
                });
                Ok(v1::ClassifyStreamResponse { id: item.id, outcome })
            }
        });
        Ok(Response::new(Box::pin(answers.buffered(STREAM_WINDOW))))
    }
}

fn item_error(refused: &Status) -> v1::ItemError {
    v1::ItemError {
        status: refused.code().into(),
        reason: code_of(refused).map(|code| code.as_str().to_owned()).unwrap_or_default(),
        message: refused.message().to_owned(),
    }
}
