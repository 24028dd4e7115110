//! A server with a service whose calls can be held, started in the process of the test on free ports.

#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(unreachable_pub, reason = "shared by the test programs, which are crates of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails the test")]

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gifthorse_service::configuration::DrainConfiguration;
use gifthorse_service::request::Arrival;
use gifthorse_service::server::{Addresses, Ended, Server, ServerError};
use gifthorse_service::{
    Deadline, Identity, OnError, Readiness, Rpcs, ServiceConfiguration, Shutdown, Tasks,
};
use http::uri::PathAndQuery;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::Service;

/// Every wait of a test ends by then: a failure, not a pace.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// `test.Echo`: `Say` answers at once, `Hold` when released, `Stream` until the server ends, `Describe` what
/// is known of the request.
#[derive(Clone)]
pub struct Echo {
    pub arrived: Arc<Semaphore>,
    pub release: Arc<Semaphore>,
    ending: CancellationToken,
}

impl Echo {
    pub fn new(shutdown: &Shutdown) -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            release: Arc::new(Semaphore::new(0)),
            ending: shutdown.ending().clone(),
        }
    }

    async fn hold(self, text: String) -> Result<Response<String>, Status> {
        self.arrived.add_permits(1);
        self.release.acquire().await.map_err(|_| Status::internal("closed"))?.forget();
        Ok(Response::new(text))
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

type Answer = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        let echo = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<String, String>::default());
            let answer = match request.uri().path() {
                "/test.Echo/Say" => {
                    let say = |request: Request<String>| async { Ok(Response::new(request.into_inner())) };
                    grpc.unary(tower::service_fn(say), request).await
                }
                "/test.Echo/Hold" => {
                    let hold = move |request: Request<String>| echo.clone().hold(request.into_inner());
                    grpc.unary(tower::service_fn(hold), request).await
                }
                "/test.Echo/Describe" => {
                    let describe = |request: Request<String>| async move {
                        let id = Arrival::from_request(&request).map(|arrival| arrival.id.to_string());
                        let deadline = Deadline::of(&request).map(Deadline::remaining);
                        Ok(Response::new(format!("{} {}", id.unwrap_or_default(), deadline.is_some())))
                    };
                    grpc.unary(tower::service_fn(describe), request).await
                }
                "/test.Echo/Fail" => {
                    let fail = |_: Request<String>| async {
                        Err::<Response<String>, _>(Status::internal("on purpose"))
                    };
                    grpc.unary(tower::service_fn(fail), request).await
                }
                "/test.Echo/Stream" => {
                    let stream = move |request: Request<String>| {
                        let ending = echo.ending.clone();
                        let first = Some(request.into_inner());
                        let stream = futures::stream::unfold((first, ending), |(first, ending)| async move {
                            if first.is_none() {
                                ending.cancelled().await;
                            }
                            first.map(|text| (Ok(text), (None, ending)))
                        });
                        async { Ok(Response::new(stream)) }
                    };
                    grpc.server_streaming(tower::service_fn(stream), request).await
                }
                _ => Status::unimplemented("no such rpc").into_http(),
            };
            Ok(answer)
        })
    }
}

fn descriptors() -> &'static [&'static [u8]] {
    let method = |name: &str| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".google.protobuf.StringValue".to_owned()),
        output_type: Some(".google.protobuf.StringValue".to_owned()),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Echo".to_owned()),
        method: ["Say", "Hold", "Describe", "Fail", "Stream"].map(method).to_vec(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("test/echo.proto".to_owned()),
        package: Some("test".to_owned()),
        service: vec![service],
        ..Default::default()
    };
    let encoded = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    vec![&*encoded.leak()].leak()
}

pub fn identity() -> Identity {
    Identity { name: "echo", version: "1.2.3", about: "Echoes", descriptors: descriptors() }
}

/// No notice and a grace that no test reaches unless it sets its own.
pub fn configuration() -> ServiceConfiguration {
    let drain = DrainConfiguration { notice: Duration::ZERO, grace: PATIENCE * 10, tasks: PATIENCE };
    ServiceConfiguration { drain, ..ServiceConfiguration::default() }
}

/// A server running in a task of this process.
pub struct Running {
    pub echo: Echo,
    pub addresses: Addresses,
    pub readiness: Readiness,
    pub tasks: Tasks,
    pub shutdown: Shutdown,
    ended: oneshot::Receiver<Result<Ended, ServerError>>,
    _owner: Tasks,
}

impl Running {
    pub async fn start(configuration: &ServiceConfiguration) -> Self {
        let shutdown = Shutdown::new();
        let server = Server::bind(identity(), configuration, shutdown.clone()).await.unwrap();
        let echo = Echo::new(&shutdown);
        let (readiness, tasks) = (server.readiness().clone(), server.tasks().clone());
        let (tell_accepting, accepting) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        // The server's own tasks end with it: it must be driven by another owner.
        let owner = Tasks::new(Shutdown::new());
        let rpcs = Rpcs::new().serve(echo.clone());
        owner.spawn("server", OnError::Log, |_| async move {
            let result = server.run(rpcs, |addresses| tell_accepting.send(addresses).unwrap()).await;
            tell_ended.send(result).map_err(|_| "nobody waits for the server")
        });
        let addresses = within(accepting).await.unwrap();
        Self { echo, addresses, readiness, tasks, shutdown, ended, _owner: owner }
    }

    pub async fn ended(self) -> Ended {
        within(self.ended).await.unwrap().unwrap()
    }

    /// A connection of its own.
    pub async fn connect(&self) -> Channel {
        let url = format!("http://{}", self.addresses.grpc);
        within(Endpoint::from_shared(url).unwrap().connect()).await.unwrap()
    }

    /// Resolves once the listener takes no more connections.
    pub async fn refuses_connections(&self) {
        within(async {
            while TcpStream::connect(self.addresses.grpc).await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Resolves once a call of `Hold` is in its handler.
    pub async fn one_arrived(&self) {
        within(self.echo.arrived.acquire()).await.unwrap().forget();
    }

    /// The head and body of the answer of an admin page.
    pub async fn admin(&self, page: &str) -> (String, String) {
        let mut stream = within(TcpStream::connect(self.addresses.admin)).await.unwrap();
        let request = format!("GET {page} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

/// The value of a future that must not take for ever.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("the test waited in vain")
}

async fn ready(channel: Channel) -> Result<tonic::client::Grpc<Channel>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(grpc)
}

pub async fn send(channel: Channel, method: &str, request: Request<String>) -> Result<String, Status> {
    let path: PathAndQuery = format!("/test.Echo/{method}").parse().unwrap();
    let mut grpc = ready(channel).await?;
    grpc.unary(request, path, ProstCodec::<String, String>::default()).await.map(Response::into_inner)
}

pub async fn call(channel: Channel, method: &str, text: &str) -> Result<String, Status> {
    send(channel, method, Request::new(text.to_owned())).await
}

pub async fn stream(channel: Channel, text: &str) -> Result<Streaming<String>, Status> {
    let path = PathAndQuery::from_static("/test.Echo/Stream");
    let mut grpc = ready(channel).await?;
    let request = Request::new(text.to_owned());
    grpc.server_streaming(request, path, ProstCodec::<String, String>::default())
        .await
        .map(Response::into_inner)
}
