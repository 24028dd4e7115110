//! What goes wrong before or beside the gateway.

use std::process::Stdio;

use tokio::net::TcpListener;

use crate::fake_gateway::FakeGateway;
use crate::program::{command, gifthorse};

/// An address nobody listens on: it was ours a moment ago.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn nobody_at_the_address_is_said_with_a_hint() {
    let address = nobody().await;
    let run = gifthorse(&address, &["model", "list"]).await;
    assert_eq!((run.status, run.output.as_str()), (1, ""));
    assert!(run.error.contains(&format!("the gateway at {address} does not answer")), "{}", run.error);
    assert!(run.error.contains("gifthorse up"), "{}", run.error);
    let run = gifthorse(&address, &["model", "list", "--json"]).await;
    assert_eq!(run.fatal()["error"]["status"], "UNAVAILABLE");
}

#[tokio::test]
async fn wrong_arguments_end_with_2_in_both_forms() {
    let address = nobody().await;
    let run = gifthorse(&address, &["model", "promote", "lab3"]).await;
    assert_eq!(run.status, 2);
    assert!(run.error.contains("names no version"), "{}", run.error);
    let run = gifthorse(&address, &["--json", "model", "promote", "lab3"]).await;
    assert_eq!(run.status, 2);
    let fatal = run.fatal();
    assert_eq!(fatal["error"]["status"], "INVALID_ARGUMENT");
    assert!(fatal["error"]["message"].as_str().unwrap().contains("names no version"), "{fatal}");
    assert_eq!(gifthorse("nowhere", &["model", "list"]).await.status, 2);
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    let address = nobody().await;
    for arguments in
        [["--help"].as_slice(), &["--version"], &["model", "import", "--help"], &["--json", "--help"]]
    {
        let run = gifthorse(&address, arguments).await;
        assert_eq!((run.status, run.error.as_str()), (0, ""), "{arguments:?}");
        assert!(run.output.contains("gifthorse"), "{}", run.output);
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_error() {
    let gateway = FakeGateway::start().await;
    let mut command = command();
    command.args(["--gateway", &gateway.address, "model", "list", "--json"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().await.unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}
