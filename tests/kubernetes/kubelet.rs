//! The part of a kubelet that the API server asks for logs, over TLS.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Serves `FOLDER/POD.log` until it is dropped.
pub(crate) struct Kubelet {
    pub(crate) port: u16,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    /// Serves with the certificate in `certificates` the logs in `logs`.
    pub(crate) fn start(certificates: &Path, logs: PathBuf) -> Self {
        let chain = CertificateDer::pem_file_iter(certificates.join("server.crt")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(certificates.join("server.key")).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // A caller that breaks off is nothing to end for.
                let _ = answer(stream, &config, &logs);
            }
        });
        Self { port, ended, thread: Some(thread) }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes it up.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// `GET /containerLogs/NAMESPACE/POD/CONTAINER?tailLines=N`, once for each connection.
fn answer(
    stream: std::io::Result<TcpStream>,
    config: &Arc<ServerConfig>,
    logs: &Path,
) -> std::io::Result<()> {
    let stream = stream?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let pod = path.split('/').nth(3).unwrap_or_default();
    let text = std::fs::read_to_string(logs.join(format!("{pod}.log"))).unwrap_or_default();
    let tail = query.split('&').find_map(|pair| pair.strip_prefix("tailLines=")?.parse().ok());
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(tail.unwrap_or(usize::MAX));
    let body: String = lines[last..].iter().flat_map(|line| [line, "\n"]).collect();
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{body}")?;
    stream.conn.send_close_notify();
    stream.flush()
}
