//! Services that are told to stop, or are killed, in the midst of their work.

use std::path::Path;

use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::future::join_all;
use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::status::code_of;
use gifthorse_api::v1;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::{connect, wait_until_serving};
use gifthorse_tests::program::Program;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::load::until_refused;
use crate::metrics::in_flight;
use crate::networks;
use crate::patience::{eventually, soon};
use crate::refusal::assert_refused;
use crate::uploads::{chunk, import, messages, specification};
use crate::vigil::{Vigil, classify, sound_input};

const CLIENTS: usize = 12;

/// Requests answered before anything happens.
const UNDISTURBED: usize = 150;

/// Requests wait this long for company, of which there is never enough: they are in flight for certain.
const HELD: [(&str, &str, &str); 2] =
    [("serving", "batching.max_delay", "1500ms"), ("serving", "batching.max_rows", "100")];

async fn connections(program: &Program) -> Vec<Channel> {
    join_all((0..CLIENTS).map(|_| connect(program))).await
}

/// Asserts an orderly end: exit code 0, and no connection cut.
fn assert_ended_well(program: &mut Program) {
    let status = program.wait();
    assert_eq!(status.code(), Some(0), "{}", program.log());
    assert!(!program.log().contains("connections cut"), "{}", program.log());
}

/// Holds requests in flight, tells `program` to stop, and asserts that every one of them is answered.
async fn assert_held_are_answered(vigil: &mut Vigil, of: impl Fn(&mut Vigil) -> &mut Program) {
    let channels = connections(&vigil.house.gateway).await;
    let asking = join_all(channels.iter().map(|channel| classify(channel, sound_input())));
    let program = of(vigil);
    let told = async {
        eventually("requests in flight", async || in_flight(program).await >= CLIENTS as f64).await;
        program.signal("TERM");
    };
    let (answers, ()) = soon("a drain", async { tokio::join!(asking, told) }).await;
    for answer in answers {
        assert!(answer.is_ok(), "an accepted request was lost: {answer:?}");
    }
    drop(channels);
    assert_ended_well(of(vigil));
}

#[tokio::test]
async fn serving_answers_what_it_has_accepted() {
    let mut vigil = Vigil::start_with(&HELD).await;
    assert_held_are_answered(&mut vigil, |vigil| &mut vigil.house.serving).await;
}

#[tokio::test]
async fn the_gateway_answers_what_it_has_accepted() {
    let mut vigil = Vigil::start_with(&HELD).await;
    assert_held_are_answered(&mut vigil, |vigil| &mut vigil.house.gateway).await;
}

/// Asserts that a refusal says which service is missing, in a way programs understand.
fn assert_names_serving(refusal: &Status) {
    assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    assert_eq!(code_of(refusal), Some(ErrorCode::ServiceUnavailable), "{refusal:?}");
    assert!(refusal.message().contains("serving"), "{refusal:?}");
}

/// What a transport says of a request that nobody has taken up: nobody listens any more; the connection was
/// told to end before this request (HTTP/2 says so by `GOAWAY` without an error); or the request was still
/// waiting to be sent when the connection ended. Of one that was accepted and lost it would say that its
/// connection broke.
const NEVER_ACCEPTED: [&str; 4] = [
    "Connection refused",
    "ConnectionRefused",
    "NO_ERROR, Remote",
    "hyper::Error(Canceled, \"connection closed\")",
];

fn assert_never_accepted(refusal: &Status) {
    let text = format!("{} {refusal:?}", refusal.message());
    assert!(NEVER_ACCEPTED.iter().any(|sign| text.contains(sign)), "{text}");
}

#[tokio::test]
async fn serving_stops_under_load() {
    let mut vigil = Vigil::start().await;
    let channels = connections(&vigil.house.gateway).await;
    let load = until_refused(&channels, UNDISTURBED, || vigil.house.serving.signal("TERM")).await;
    assert!(load.answered >= UNDISTURBED);
    for refusal in &load.refusals {
        assert_names_serving(refusal);
        assert_never_accepted(refusal);
    }
    assert_ended_well(&mut vigil.house.serving);
}

#[tokio::test]
async fn the_gateway_stops_under_load() {
    let mut vigil = Vigil::start().await;
    let channels = connections(&vigil.house.gateway).await;
    let load = until_refused(&channels, UNDISTURBED, || vigil.house.gateway.signal("TERM")).await;
    assert!(load.answered >= UNDISTURBED);
    load.refusals.iter().for_each(assert_never_accepted);
    drop(channels);
    assert_ended_well(&mut vigil.house.gateway);
}

/// Starts serving where it was before.
fn restart(serving: &Program, folder: &Path) -> Program {
    let store = folder.join("data").display().to_string();
    let settings = [("store.url", store), ("service.drain.notice", "0s".to_owned())];
    let settings = settings.map(|(key, value)| (key.to_owned(), value));
    Program::start_at("serving", &serving.grpc.to_string(), &settings, folder)
}

#[tokio::test]
async fn serving_is_killed_under_load_and_comes_back() {
    let mut vigil = Vigil::start().await;
    let channels = connections(&vigil.house.gateway).await;
    let load = until_refused(&channels, UNDISTURBED, || vigil.house.serving.signal("KILL")).await;
    assert!(load.answered >= UNDISTURBED);
    load.refusals.iter().for_each(assert_names_serving);
    assert!(!vigil.house.serving.wait().success());

    // Forwarded rpcs say the same.
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let answer = models.list_models(v1::ListModelsRequest::default()).await;
    assert_refused("ListModels", answer, ErrorCode::ServiceUnavailable, "serving");
    let answer = import(&vigil.gateway, "late", networks::onnx()).await;
    assert_refused("ImportModel", answer, ErrorCode::ServiceUnavailable, "serving");
    assert!(vigil.house.gateway.is_running());

    vigil.house.serving = restart(&vigil.house.serving, vigil.house.folder.path());
    wait_until_serving(&vigil.house.serving).await;
    eventually("an answer", async || classify(&vigil.gateway, sound_input()).await.is_ok()).await;
    let models = vigil.models().await;
    assert_eq!(models, ["models/sound"]);
}

#[tokio::test]
async fn an_import_that_has_begun_is_finished() {
    let mut vigil = Vigil::start().await;
    let (mut sender, stream) = mpsc::channel(64);
    let mut rest = messages("late", networks::onnx()).into_iter();
    sender.try_send(rest.next().unwrap()).unwrap();
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let importing = models.import_model(stream);
    let told = async {
        eventually("a folder for the upload", async || !vigil.temporary().is_empty()).await;
        vigil.house.serving.signal("TERM");
        // The drain is under way once new connections are refused.
        let address = vigil.house.serving.grpc;
        eventually("refused connections", async || tokio::net::TcpStream::connect(address).await.is_err())
            .await;
        rest.for_each(|message| sender.try_send(message).unwrap());
        drop(sender);
    };
    let (imported, ()) = soon("an import", async { tokio::join!(importing, told) }).await;
    assert_eq!(imported.unwrap().into_inner().name, "models/late/versions/1");
    assert_ended_well(&mut vigil.house.serving);
}

#[tokio::test]
async fn an_import_that_never_ends_is_cut_when_the_grace_is_over() {
    let mut vigil = Vigil::start_with(&[("serving", "service.drain.grace", "500ms")]).await;
    let begun = [specification("endless"), chunk(vec![8; 1000])];
    let endless = futures::stream::iter(begun).chain(futures::stream::pending());
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let told = async {
        eventually("a folder for the upload", async || !vigil.temporary().is_empty()).await;
        vigil.house.serving.signal("TERM");
    };
    let both = async { tokio::join!(models.import_model(endless), told) };
    let (imported, ()) = soon("an import", both).await;
    assert_refused("a cut import", imported, ErrorCode::ServiceUnavailable, "serving");
    assert_eq!(vigil.house.serving.wait().code(), Some(0), "{}", vigil.house.serving.log());
    vigil.assert_clean().await;
    vigil.house.serving = restart(&vigil.house.serving, vigil.house.folder.path());
    wait_until_serving(&vigil.house.serving).await;
    assert_eq!(vigil.models().await, ["models/sound"]);
}
