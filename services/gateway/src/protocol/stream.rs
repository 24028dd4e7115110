//! `ModelStreamInfer`: each request of a stream on its own, guarded or not.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use gifthorse_api::inference::{ModelInferRequest, ModelInferResponse};
use gifthorse_service::request::Caller;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status, Streaming};

use super::raw::{self, Named, StreamItem};
use super::{GuardedRpc, Protocol};

/// Requests of one stream that are being answered at once, as many as serving takes; more wait in the connection.
const WINDOW: usize = 8;

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The answers to a stream, in its order. A request that is refused is answered in it and does not end it.
pub(super) fn answers(protocol: Arc<Protocol>, request: Request<Streaming<Bytes>>) -> Answers {
    let caller = Caller::of(&request);
    let (metadata, _, items) = request.into_parts();
    let answers = items.map(move |item| {
        let (protocol, metadata, caller) = (Arc::clone(&protocol), metadata.clone(), caller.clone());
        async move {
            // An item that cannot be read ends the stream.
            let message = item?;
            let answered = answered(&protocol, metadata, message.clone(), &caller).await;
            let item = match answered {
                Ok(answer) => StreamItem { error_message: String::new(), infer_response: Some(answer) },
                Err(refused) => refusal(message, &refused)?,
            };
            Ok(item.encode_to_vec().into())
        }
    });
    Box::pin(answers.buffered(WINDOW))
}

async fn answered(
    protocol: &Protocol,
    metadata: MetadataMap,
    message: Bytes,
    caller: &Caller,
) -> Result<Bytes, Status> {
    let named = Named::read(&message)?;
    let Some(policy) = protocol.policy(&named, caller).await? else {
        let passed = protocol.pass(GuardedRpc::Infer, metadata, message, caller).await;
        return passed.map(tonic::Response::into_inner);
    };
    let request = ModelInferRequest::decode(message).map_err(raw::undecodable)?;
    Ok(protocol.infer(&policy, request, caller).await?.encode_to_vec().into())
}

/// A refusal as an item, which names its request.
fn refusal(message: Bytes, refused: &Status) -> Result<StreamItem, Status> {
    let id = ModelInferRequest::decode(message).map_err(raw::undecodable)?.id;
    let named = ModelInferResponse { id, ..ModelInferResponse::default() };
    Ok(StreamItem {
        error_message: refused.message().to_owned(),
        infer_response: Some(named.encode_to_vec().into()),
    })
}
