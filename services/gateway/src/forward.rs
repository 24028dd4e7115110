//! Passes whole rpc services on to the service that owns them.
//!
//! Messages are not decoded: headers (deadline, request id, tokens) and frames travel as they are, in both
//! directions, so unary calls and streams of any contract version pass alike. When the caller goes away the
//! upstream stream is reset; when the upstream cannot be reached the caller gets UNAVAILABLE naming it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gifthorse_service::client::Peer;
use gifthorse_service::request::{Arrival, REQUEST_ID_HEADER};
use http::{HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};

/// Sends every request to one upstream service.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    peer: Peer,
}

impl Forward {
    /// Forwards to this service.
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer }
    }
}

impl<B> Service<Request<B>> for Forward
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The channel is waited for inside the call, where a failure can become an answer.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let peer = self.peer.clone();
        // The id that the gateway gave the request, so that the logs of both services name it alike.
        let id = request.extensions().get::<Arrival>().map(|arrival| arrival.id.to_string());
        if let Some(Ok(id)) = id.map(|id| HeaderValue::from_str(&id)) {
            request.headers_mut().insert(REQUEST_ID_HEADER, id);
        }
        let request = request.map(Body::new);
        Box::pin(async move {
            let answer = peer.channel().oneshot(request).await;
            Ok(answer.unwrap_or_else(|error| peer.explain(Status::from_error(error.into())).into_http()))
        })
    }
}
