//! Load and unload.

use std::time::Duration;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::model_repository_parameter::ParameterChoice;
use gifthorse_api::inference::{
    ModelRepositoryParameter, RepositoryIndexRequest, RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
};
use gifthorse_api::v1;
use gifthorse_api::v1::model_version::State;
use gifthorse_tests::house::{House, connect};

use crate::support::admin::metric;
use crate::support::calls::{
    Protocol, assert_close, assert_refused, classify, floats, import_plain, infer_request, is_ready, picture,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};

fn load(name: &str) -> RepositoryModelLoadRequest {
    RepositoryModelLoadRequest { model_name: name.to_owned(), ..Default::default() }
}

fn unload(name: &str) -> RepositoryModelUnloadRequest {
    RepositoryModelUnloadRequest { model_name: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_model_is_unloaded_and_loaded_again() {
    let house = House::start_with(&[("serving", "repository.refresh", "50ms")]).await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let mut protocol = Protocol::new(house.channel().await);
    import_plain(&mut models, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    import_plain(&mut models, "other", &Linear::new(2).onnx(Ending::Softmax)).await;
    classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();

    protocol.repository_model_unload(unload("faces")).await.unwrap();
    assert!(!is_ready(&mut protocol, "faces", "").await);
    let refused =
        protocol.model_infer(infer_request("faces", "", "pixels", &prepared(&levels(1), 255.0))).await;
    assert_refused(refused, ErrorCode::ModelNotReady, "unloaded");
    let refused = classify(&mut guard, picture("models/faces", png(&levels(1)))).await;
    assert_refused(refused, ErrorCode::ModelNotReady, "unload");
    let index = protocol.repository_index(RepositoryIndexRequest::default()).await.unwrap().into_inner();
    let lines: Vec<_> =
        index.models.iter().map(|found| format!("{} {} {}", found.name, found.state, found.reason)).collect();
    assert_eq!(lines, ["faces UNAVAILABLE unloaded on request", "other READY "]);
    let ready = RepositoryIndexRequest { ready: true, ..Default::default() };
    let index = protocol.repository_index(ready).await.unwrap().into_inner();
    assert_eq!(index.models.len(), 1, "only what is ready");
    classify(&mut guard, picture("models/other", png(&levels(1)))).await.unwrap();

    // It stays unloaded while the store is followed, and an import does not bring it back by itself.
    let second = import_plain(&mut models, "faces", &Linear::new(3).onnx(Ending::Softmax)).await;
    let version =
        models.get_model_version(v1::GetModelVersionRequest { name: second.clone() }).await.unwrap();
    assert_eq!(version.into_inner().state(), State::Unavailable);
    assert!(!is_ready(&mut protocol, "faces", "").await);

    protocol.repository_model_load(load("faces")).await.unwrap();
    for version in ["", "1", "2"] {
        assert!(is_ready(&mut protocol, "faces", version).await, "{version}");
    }
    classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();
    classify(&mut guard, picture(&second, png(&levels(1)))).await.unwrap();
    // Loading what is loaded changes nothing.
    protocol.repository_model_load(load("faces")).await.unwrap();
}

#[tokio::test]
async fn both_dialects_name_the_model() {
    let house = House::start().await;
    import_plain(&mut house.models().await, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    let mut protocol = Protocol::new(house.channel().await);
    // One client puts the model's name where others put the repository's.
    let first_field = "faces".to_owned();
    let request = RepositoryModelUnloadRequest { repository_name: first_field.clone(), ..Default::default() };
    protocol.repository_model_unload(request).await.unwrap();
    assert!(!is_ready(&mut protocol, "faces", "").await);
    let request = RepositoryModelLoadRequest { repository_name: first_field, ..Default::default() };
    protocol.repository_model_load(request).await.unwrap();
    assert!(is_ready(&mut protocol, "faces", "").await);

    assert_refused(protocol.repository_model_load(load("nobody")).await, ErrorCode::ModelNotFound, "nobody");
    assert_refused(
        protocol.repository_model_unload(unload("nobody")).await,
        ErrorCode::ModelNotFound,
        "nobody",
    );
    assert_refused(protocol.repository_model_load(load("")).await, ErrorCode::InvalidName, "model_name");
    assert_refused(protocol.repository_model_load(load("../x")).await, ErrorCode::InvalidName, "../x");
    let mut with_file = load("faces");
    let content =
        ModelRepositoryParameter { parameter_choice: Some(ParameterChoice::BytesParam(vec![0].into())) };
    with_file.parameters.insert("file:1/model.onnx".to_owned(), content);
    assert_refused(protocol.repository_model_load(with_file).await, ErrorCode::InvalidField, "ImportModel");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_finish_when_their_model_is_unloaded() {
    // Requests wait a second for company, so that they are in the queue when the model is unloaded.
    let house = House::start_with(&[("serving", "batching.max_delay", "1s")]).await;
    let network = Linear::new(1);
    import_plain(&mut house.models().await, "faces", &network.onnx(Ending::Softmax)).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut protocol = Protocol::new(connect(&house.serving).await);
        waiting.push(async move {
            let request = infer_request("faces", "", "pixels", &prepared(&levels(1), 255.0));
            protocol.model_infer(request).await
        });
    }
    let unloading = async {
        let arrived = async {
            while metric(house.serving.admin, "gifthorse_rpc_in_flight") < 8.0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_millis(900), arrived).await.expect("all requests arrive");
        let mut protocol = Protocol::new(connect(&house.serving).await);
        protocol.repository_model_unload(unload("faces")).await.unwrap();
        assert!(!is_ready(&mut protocol, "faces", "").await);
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(waiting), unloading);
    let expected = network.answers(&prepared(&levels(1), 255.0));
    for answer in answers {
        let answer = answer.unwrap().into_inner();
        let found: Vec<f64> = floats(&answer.raw_output_contents[0]).into_iter().map(f64::from).collect();
        assert_close(&found, &expected);
    }
}
