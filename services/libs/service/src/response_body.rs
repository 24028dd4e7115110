//! The body of an answer, watched until its trailers tell the status.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use crate::observe::{Call, code_in};
use crate::oversize;

/// A body that ends its [`Call`] with the status in the trailers. Streams keep their call, and with it their
/// place among the requests in flight, until they end or are dropped.
pub(crate) struct ObservedBody {
    inner: Body,
    call: Option<Call>,
    span: Span,
}

impl ObservedBody {
    /// The body of an answer to `call`, written within `span`.
    pub(crate) fn new(inner: Body, mut call: Option<Call>, span: Span) -> Self {
        // tonic drops a body that is at its end without polling it: without a status in the headers the
        // answer was not gRPC.
        if http_body::Body::is_end_stream(&inner)
            && let Some(mut call) = call.take()
        {
            call.end(Code::Unknown);
        }
        Self { inner, call, span }
    }

    /// The body of an answer whose end was counted already.
    pub(crate) fn unobserved(inner: Body) -> Self {
        Self { inner, call: None, span: Span::none() }
    }

    fn end(&mut self, code: Code) {
        if let Some(mut call) = self.call.take() {
            call.end(code);
        }
    }
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let mut polled = {
            let _entered = this.span.enter();
            Pin::new(&mut this.inner).poll_frame(context)
        };
        match &mut polled {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    oversize::rename(trailers);
                    this.end(code_in(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(status))) => this.end(status.code()),
            Poll::Ready(None) => this.end(Code::Unknown),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}
