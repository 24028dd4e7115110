//! A gRPC server whose unary rpcs are answered by one function from bytes to bytes.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::{Response, Status};
use tower::service_fn;

/// What a made-up service says.
pub trait Answers: Send + Sync + 'static {
    /// The answer of the rpc at this path.
    fn answer(
        self: Arc<Self>,
        path: String,
        metadata: MetadataMap,
        message: Bytes,
    ) -> impl Future<Output = Result<Bytes, Status>> + Send;
}

/// A running server.
pub struct Fake {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinSet<()>,
}

impl Fake {
    pub async fn start(service: Arc<impl Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rpcs = service_fn(move |request: http::Request<axum::body::Body>| {
            let (service, path) = (Arc::clone(&service), request.uri().path().to_owned());
            async move {
                let unary = service_fn(move |request: tonic::Request<Bytes>| {
                    let (service, path) = (Arc::clone(&service), path.clone());
                    async move {
                        let (metadata, _, message) = request.into_parts();
                        service.answer(path, metadata, message).await.map(Response::new)
                    }
                });
                Ok::<_, Infallible>(tonic::server::Grpc::new(Raw).unary(unary, request).await)
            }
        });
        let routes = Routes::from(axum::Router::new().fallback_service(rpcs));
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let ended = async { drop(stopped.await) };
            let incoming = TcpIncoming::from(listener);
            let builder = tonic::transport::Server::builder().add_routes(routes);
            builder.serve_with_incoming_shutdown(incoming, ended).await.unwrap();
        });
        Self { address, stop: Some(stop), server }
    }

    /// Closes the connections and the port.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        while self.server.join_next().await.is_some() {}
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
