//! Answers the rpcs that are part of the contract but not built in this release.
//!
//! A caller learns the name of the rpc and that it exists, instead of the bare UNIMPLEMENTED that a wrong
//! address would also answer.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use gifthorse_api::{contract, status};
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::Service;

/// Answers every rpc of one service with UNIMPLEMENTED, naming it.
#[derive(Debug, Clone)]
pub(crate) struct NotBuilt {
    service: &'static str,
    rpcs: Arc<[String]>,
}

impl NotBuilt {
    /// Stands in for the service with this full name (`gifthorse.v1.Detection`).
    pub(crate) fn new(service: &'static str) -> Self {
        Self { service, rpcs: contract::rpc_names(service).into() }
    }

    fn answer(&self, path: &str) -> Status {
        let rpc = path.rsplit('/').next().unwrap_or_default();
        if self.rpcs.iter().any(|known| known == rpc) {
            status::not_built(&format!("{}/{rpc}", self.service))
        } else {
            Status::unimplemented(format!("{} has no rpc of this name", self.service))
        }
    }
}

impl<B> Service<Request<B>> for NotBuilt {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.uri().path()).into_http()))
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::ErrorCode;
    use tonic::Code;

    use super::*;

    #[test]
    fn a_known_rpc_is_named_and_an_unknown_one_is_not() {
        let stand_in = NotBuilt::new("gifthorse.v1.Detection");
        let known = stand_in.answer("/gifthorse.v1.Detection/Scan");
        assert_eq!(known.code(), Code::Unimplemented);
        assert!(known.message().starts_with("gifthorse.v1.Detection/Scan is part of the contract"));
        assert_eq!(status::code_of(&known), Some(ErrorCode::NotBuilt));
        let unknown = stand_in.answer("/gifthorse.v1.Detection/Nothing");
        assert_eq!(unknown.code(), Code::Unimplemented);
        assert_eq!(status::code_of(&unknown), None);
    }
}
