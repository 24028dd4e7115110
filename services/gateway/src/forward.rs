//! Passes whole rpc services on to the service that owns them.
//!
//! Messages are not decoded: headers (deadline, request id, tokens) and frames travel as they are, in both
//! directions, so unary calls and streams of any contract version pass alike. When the caller goes away the
//! upstream stream is reset; when the upstream cannot be reached the caller gets UNAVAILABLE naming it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status;
use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

/// Sends every request to one upstream service.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    upstream: &'static str,
    channel: Channel,
}

impl Forward {
    /// Forwards over `channel`; `upstream` names the service in errors.
    pub(crate) fn new(upstream: &'static str, channel: Channel) -> Self {
        Self { upstream, channel }
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let channel = self.channel.clone();
        let upstream = self.upstream;
        let request = request.map(Body::new);
        Box::pin(async move {
            let answer = channel.oneshot(request).await.unwrap_or_else(|error| {
                tracing::warn!(upstream, %error, "upstream cannot be reached");
                status::status(
                    ErrorCode::ServiceUnavailable,
                    &format!("the {upstream} service cannot be reached; try again, or see whether it runs"),
                )
                .into_http()
            });
            Ok(answer)
        })
    }
}
