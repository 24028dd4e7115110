//! What a program says of itself at `/metrics`.

use gifthorse_tests::program::Program;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sum over the series of a metric whose labels hold all of `labels`; zero when there is none.
pub(crate) async fn metric(program: &Program, name: &str, labels: &[&str]) -> f64 {
    let mut connection = TcpStream::connect(program.admin).await.expect("the admin pages are there");
    let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    connection.write_all(request).await.expect("the request is sent");
    let mut page = String::new();
    connection.read_to_string(&mut page).await.expect("the page is text");
    let series = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, rest) = series.split_at_checked(name.len())?;
        let is_whole = rest.is_empty() || rest.starts_with('{');
        (found == name && is_whole && labels.iter().all(|label| rest.contains(label))).then_some(value)
    });
    series.map(|value| value.parse::<f64>().expect("a number")).sum()
}

/// Requests of an rpc that ended with this code, of those this program has seen.
pub(crate) async fn ended(program: &Program, method: &str, code: &str) -> f64 {
    let labels = [format!("method=\"{method}\""), format!("code=\"{code}\"")];
    metric(program, "gifthorse_rpc_handled_total", &labels.each_ref().map(String::as_str)).await
}

/// Requests in flight.
pub(crate) async fn in_flight(program: &Program) -> f64 {
    metric(program, "gifthorse_rpc_in_flight", &[]).await
}
