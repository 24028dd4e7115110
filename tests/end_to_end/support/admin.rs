//! The pages that a service shows to those who run it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Status code and body of a page.
pub(crate) fn page(admin: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(admin).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    (status, body.to_owned())
}

/// The value of a metric without labels.
pub(crate) fn metric(admin: SocketAddr, name: &str) -> f64 {
    let (_, body) = page(admin, "/metrics");
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no metric {name} in {body}"))
}
