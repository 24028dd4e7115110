//! The connections of the gRPC listener: accepted, counted and, when the grace is over, cut.
//!
//! tonic drives each connection in a task of its own that nobody can abort. Cutting therefore happens below
//! it: the next read or write of a cut connection fails, hyper drops the connection and with it the requests
//! still in flight.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// Pause after a failed accept: when file descriptors run out, accepting fails at once and would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a connection that we have ended is still read, in the hope that the client ends it too.
const LINGER: Duration = Duration::from_secs(1);
/// Reads of one poll while lingering; then others get their turn.
const LINGERING_READS: usize = 16;

/// The open connections of one listener. Clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    wakers: HashMap<u64, Arc<AtomicWaker>>,
}

impl Connections {
    /// Connections open now.
    pub(crate) fn count(&self) -> usize {
        self.locked().wakers.len()
    }

    /// Cuts every connection, those open and those to come; returns how many were open.
    pub(crate) fn cut(&self) -> usize {
        self.cut.store(true, Ordering::SeqCst);
        let open = self.locked();
        open.wakers.values().for_each(|waker| waker.wake());
        open.wakers.len()
    }

    /// Accepts connections for as long as the stream is polled. Errors of accepting are logged and retried,
    /// never passed on.
    pub(crate) fn accept(&self, listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> + use<> {
        futures::stream::unfold((self.clone(), listener), |(connections, listener)| async move {
            loop {
                let accepted = listener.accept().await.and_then(|(stream, _)| {
                    // Messages are written whole: waiting to fill a packet only delays them.
                    stream.set_nodelay(true)?;
                    Ok(connections.track(stream))
                });
                match accepted {
                    Ok(connection) => return Some((Ok(connection), (connections, listener))),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        })
    }

    fn track(&self, stream: TcpStream) -> Connection {
        let waker = Arc::new(AtomicWaker::new());
        let mut open = self.locked();
        let number = open.next;
        open.next += 1;
        open.wakers.insert(number, Arc::clone(&waker));
        drop(open);
        Connection { stream, number, waker, connections: self.clone(), linger: None }
    }

    fn locked(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse_if_cut(&self) -> io::Result<()> {
        if self.cut.load(Ordering::SeqCst) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "cut at the end of the grace period",
            ));
        }
        Ok(())
    }
}

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    number: u64,
    waker: Arc<AtomicWaker>,
    connections: Connections,
    /// Set once our side is ended.
    linger: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// Reads and drops what the client still sends, until it ends its side, fails, or the time is over.
    ///
    /// Closing a socket with unread bytes resets it, and a client that is writing at that moment then loses
    /// answers that it has already received but not read: requests that we accepted and answered.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; 8192];
        for _ in 0..LINGERING_READS {
            let mut buffer = ReadBuf::new(&mut scrap);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    self.waker.register(context.waker());
                    let over = self.connections.refuse_if_cut().is_err();
                    let timed = self.linger.as_mut().map(|linger| linger.as_mut().poll(context).is_ready());
                    return if over || timed != Some(false) { Poll::Ready(()) } else { Poll::Pending };
                }
            }
        }
        let timed = self.linger.as_mut().map(|linger| linger.as_mut().poll(context).is_ready());
        if timed != Some(false) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.locked().wakers.remove(&self.number);
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.connections.refuse_if_cut()?;
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_pending() {
            // Registered first and looked at again afterwards, so that a cut in between is not missed.
            self.waker.register(context.waker());
            self.connections.refuse_if_cut()?;
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connections.refuse_if_cut()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connections.refuse_if_cut()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.linger = Some(Box::pin(sleep(LINGER)));
        }
        self.poll_linger(context).map(Ok)
    }
}
