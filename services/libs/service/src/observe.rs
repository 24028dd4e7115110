//! The one layer around all rpcs: it counts, times, names and, when there are too many, sheds.
//!
//! One layer instead of a stack keeps the cost of a request to a hash look-up, two reference counts and a
//! clock reading; the span is made only when the filter lets `rpc=debug` through.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::{status, status_of};
use http::{HeaderMap, Request, Response};
use metrics::Counter;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Span;

use crate::deadline::Deadline;
use crate::metric_names::RPC_SHED;
use crate::overload::{Admission, Permit};
use crate::oversize;
use crate::request::{Arrival, RequestId};
use crate::response_body::ObservedBody;
use crate::rpc_table::{Rpc, RpcTable, code_name};

/// What all requests share.
struct Shared {
    rpcs: RpcTable,
    admission: Admission,
    shed: Counter,
    faults: FaultLog,
}

/// Puts [`Observed`] around the routes.
#[derive(Clone)]
pub(crate) struct ObserveLayer(Arc<Shared>);

impl ObserveLayer {
    /// A layer that knows `rpcs` and admits as many as `admission` has room for.
    pub(crate) fn new(rpcs: RpcTable, admission: Admission) -> Self {
        let shed = metrics::counter!(RPC_SHED);
        Self(Arc::new(Shared { rpcs, admission, shed, faults: FaultLog::new() }))
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, shared: Arc::clone(&self.0) }
    }
}

/// A service whose requests are counted, timed and shed.
#[derive(Clone)]
pub(crate) struct Observed<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Unpin,
{
    type Response = Response<ObservedBody>;
    type Error = S::Error;
    type Future = ObservedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let rpc = Arc::clone(self.shared.rpcs.find(request.uri().path()));
        let arrival = Arrival::of(request.headers());
        rpc.count_started();

        let permit = if rpc.is_never_shed() { Ok(None) } else { self.shared.admission.admit().map(Some) };
        let permit = match permit {
            Ok(permit) => permit,
            Err(overloaded) => {
                self.shared.shed.increment(1);
                rpc.count_handled(Code::ResourceExhausted, arrival.at.elapsed());
                return ObservedFuture::Refused(Some(status_of(&overloaded)));
            }
        };

        let span = tracing::debug_span!(
            target: "rpc",
            "rpc",
            service = rpc.service(),
            method = rpc.method(),
            request_id = %arrival.id,
            peer = tracing::field::Empty,
        );
        if !span.is_disabled() {
            let connection = request.extensions().get::<TcpConnectInfo>();
            if let Some(peer) = connection.and_then(TcpConnectInfo::remote_addr) {
                span.record("peer", tracing::field::display(peer));
            }
        }
        let call = Call {
            rpc,
            began: arrival.at,
            deadline: arrival.deadline,
            id: arrival.id.clone(),
            shared: Arc::clone(&self.shared),
            _permit: permit,
            ended: false,
        };
        let late = arrival.deadline.map(|deadline| Box::pin(sleep_until(deadline.instant())));
        request.extensions_mut().insert(arrival);
        let inner = span.in_scope(|| self.inner.call(request));
        ObservedFuture::Running { inner, late, call: Some(call), span }
    }
}

/// The answer to an observed request.
pub(crate) enum ObservedFuture<F> {
    /// Shed at the door.
    Refused(Option<Status>),
    /// Given to the service.
    Running {
        /// What the service does.
        inner: F,
        /// Ends with the caller's deadline. tonic would end the request then too, but with CANCELLED, which
        /// says that the caller went away.
        late: Option<Pin<Box<Sleep>>>,
        /// Moves into the body of the answer.
        call: Option<Call>,
        /// Entered at each poll.
        span: Span,
    },
}

impl<F, E> Future for ObservedFuture<F>
where
    F: Future<Output = Result<Response<Body>, E>> + Unpin,
{
    type Output = Result<Response<ObservedBody>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Refused(status) => match status.take() {
                Some(status) => Poll::Ready(Ok(status.into_http::<Body>().map(ObservedBody::unobserved))),
                None => Poll::Pending,
            },
            Self::Running { inner, late, call, span } => {
                let _entered = span.enter();
                if late.as_mut().is_some_and(|late| late.as_mut().poll(context).is_ready()) {
                    if let Some(mut call) = call.take() {
                        call.end(Code::DeadlineExceeded);
                    }
                    let message = "the request's deadline passed before it was answered: give it more time";
                    let refusal = status(ErrorCode::DeadlineExceeded, message);
                    return Poll::Ready(Ok(refusal.into_http::<Body>().map(ObservedBody::unobserved)));
                }
                let answer = match Pin::new(inner).poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(answer)) => answer,
                };
                let (mut parts, body) = answer.into_parts();
                oversize::rename(&mut parts.headers);
                // An answer that is an error has its status in the headers and no body.
                if let (Some(code), Some(call)) = (code_in(&parts.headers), call.as_mut()) {
                    call.end(code);
                }
                let body = ObservedBody::new(body, call.take(), span.clone());
                Poll::Ready(Ok(Response::from_parts(parts, body)))
            }
        }
    }
}

/// The status code in headers or trailers, if they have one.
pub(crate) fn code_in(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()))
}

/// A request in flight. Its end is counted once: when the status is known, or when it is dropped because the
/// caller went away or its deadline passed.
pub(crate) struct Call {
    rpc: Arc<Rpc>,
    began: Instant,
    deadline: Option<Deadline>,
    id: RequestId,
    shared: Arc<Shared>,
    _permit: Option<Permit>,
    ended: bool,
}

impl Call {
    /// Counts the end with this code; later ends are not counted.
    pub(crate) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.rpc.count_handled(code, self.began.elapsed());
        if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
            self.shared.faults.note(&self.rpc, &self.id, code);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let late = self.deadline.is_some_and(Deadline::has_passed);
        self.end(if late { Code::DeadlineExceeded } else { Code::Cancelled });
    }
}

/// Logs faults of ours, at most one line a second: a broken service must not also fill the disk.
struct FaultLog {
    start: Instant,
    /// The second, counted from `start` and beginning with 1, in which the last line was written.
    last: AtomicU64,
    silent: AtomicU64,
}

impl FaultLog {
    fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0), silent: AtomicU64::new(0) }
    }

    fn note(&self, rpc: &Rpc, id: &RequestId, code: Code) {
        let second = self.start.elapsed().as_secs() + 1;
        if self.last.swap(second, Ordering::Relaxed) == second {
            self.silent.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let silent = self.silent.swap(0, Ordering::Relaxed);
        tracing::warn!(
            service = rpc.service(),
            method = rpc.method(),
            request_id = %id,
            code = code_name(code),
            not_logged = silent,
            "request failed by a fault of ours",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use gifthorse_api::status::code_of;
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_deadline_that_passes_is_no_cancellation() {
        let table = RpcTable::new(&[], |_| true).unwrap();
        let hangs = service_fn(|_| std::future::pending::<Result<Response<Body>, Infallible>>());
        let observed = ObserveLayer::new(table, Admission::new(1)).layer(hangs);
        let request = Request::builder().uri("/a.B/C").header("grpc-timeout", "1m").body(Body::empty());
        let answer = observed.oneshot(request.unwrap()).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(code_of(&status), Some(ErrorCode::DeadlineExceeded));
    }
}
