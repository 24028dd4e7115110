//! Networks that a foreign Open Inference Protocol server holds; here another serving program plays that server.

mod calibration;
mod pair;

use std::time::Duration;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::inference::{ModelMetadataRequest, ModelStatisticsRequest};
use gifthorse_api::v1;
use gifthorse_api::v1::export_model_version_request::Format;
use gifthorse_api::v1::model_version::State;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::provenance::Source;
use gifthorse_tests::house::{House, connect, wait_until_serving};
use gifthorse_tests::program::Program;

use self::pair::Pair;
use crate::support::calls::{
    assert_close, assert_refused, classify, floats, import, import_plain, infer_request, is_ready, picture,
    probabilities, promote, specification,
};
use crate::support::network::{CHANNELS, CLASSES, Ending, HEIGHT, Linear, WIDTH};
use crate::support::pictures::{levels, png, prepared};

async fn version(house: &House, name: &str) -> v1::ModelVersion {
    let request = v1::GetModelVersionRequest { name: name.to_owned() };
    house.models().await.get_model_version(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_linked_network_is_served_like_any_other() {
    let mut pair = Pair::start().await;
    let network = Linear::new(1);
    import_plain(&mut pair.theirs, "subject", &network.onnx(Ending::Softmax)).await;
    let names: Vec<String> = (0..CLASSES).map(|class| format!("person {class}")).collect();
    let linked =
        pair.link(v1::LinkModelRequest { class_names: names.clone(), ..pair.request() }).await.unwrap();

    assert_eq!(linked.name, "models/faces/versions/1");
    assert!(linked.promoted, "the first version answers at once");
    assert_eq!(linked.state(), State::Ready, "{}", linked.state_reason);
    assert_eq!(linked.linked_endpoint, Some(pair.endpoint()));
    assert_eq!(linked.provenance.as_ref().unwrap().source(), Source::Linked);
    assert_eq!((linked.class_count, &linked.class_names), (CLASSES as i32, &names));
    assert_eq!((linked.input.as_str(), linked.output.as_str()), ("pixels", "probabilities"));
    let size = linked.preprocessing.as_ref().unwrap();
    assert_eq!((size.height, size.width, size.channels), (HEIGHT as i32, WIDTH as i32, CHANNELS as i32));
    let [file] = linked.files.as_slice() else { panic!("one file, {:?}", linked.files) };
    assert_eq!((file.file_name.as_str(), &file.sha256), ("link.json", &linked.digest));

    // Through the front door, picture and tensor.
    let mut guard = pair.house.guard().await;
    let levels = levels(1);
    let expected = network.answers(&prepared(&levels, 255.0));
    let answer = classify(&mut guard, picture("models/faces", png(&levels))).await.unwrap();
    assert_close(&probabilities(&answer), &expected);
    let mut protocol = GrpcInferenceServiceClient::new(pair.house.channel().await);
    assert!(is_ready(&mut protocol, "faces", "").await);
    let many: Vec<f32> = (0..300).flat_map(|_| prepared(&levels, 255.0)).collect();
    let answer =
        protocol.model_infer(infer_request("faces", "1", "pixels", &many)).await.unwrap().into_inner();
    let rows = floats(&answer.raw_output_contents[0]);
    assert_eq!(rows.len(), 300 * CLASSES, "more rows than go to the server at once");
    for row in rows.chunks(CLASSES) {
        assert_close(&row.iter().map(|value| f64::from(*value)).collect::<Vec<_>>(), &expected);
    }
    let metadata = ModelMetadataRequest { name: "faces".to_owned(), version: String::new() };
    let metadata = protocol.model_metadata(metadata).await.unwrap().into_inner();
    assert_eq!(metadata.inputs[0].shape, [-1, HEIGHT as i64, WIDTH as i64, CHANNELS as i64]);
    assert_eq!(metadata.outputs[0].shape, [-1, CLASSES as i64]);
    let statistics = ModelStatisticsRequest { name: "faces".to_owned(), version: "1".to_owned() };
    let statistics = protocol.model_statistics(statistics).await.unwrap().into_inner();
    assert_eq!(statistics.model_stats[0].inference_count, 301);
    assert_eq!(statistics.model_stats[0].execution_count, 4, "300 rows go in three parts of 128 at most");

    let wrong = protocol.model_infer(infer_request("faces", "1", "image", &prepared(&levels, 255.0))).await;
    assert_refused(wrong, ErrorCode::UnknownTensor, "\"image\"");
    let export = v1::ExportModelVersionRequest { name: linked.name.clone(), format: Format::Onnx.into() };
    let export = pair.house.models().await.export_model_version(export).await.map(drop);
    assert_refused(export, ErrorCode::ExportImpossible, "export it there");
    assert_eq!(pair.check("models/faces").await.unwrap().name, linked.name);

    // Beside a version whose network is here, and back; then the link goes.
    let mut models = pair.house.models().await;
    let here = import_plain(&mut models, "faces", &Linear::new(2).onnx(Ending::Softmax)).await;
    assert_refused(pair.check(&here).await, ErrorCode::InvalidField, "only links are checked");
    promote(&mut models, &here).await.unwrap();
    promote(&mut models, &linked.name).await.unwrap();
    promote(&mut models, &here).await.unwrap();
    let delete = v1::DeleteModelVersionRequest { name: linked.name.clone() };
    models.delete_model_version(delete).await.unwrap();
    let gone = classify(&mut guard, picture(&linked.name, png(&levels))).await;
    assert_refused(gone, ErrorCode::ModelVersionNotFound, "1");
}

#[tokio::test]
async fn logits_become_probabilities() {
    let mut pair = Pair::start().await;
    let network = Linear::new(3);
    import(&mut pair.theirs, specification("subject"), &network.onnx(Ending::Softmax)).await.unwrap();
    // What the foreign server answers is taken for logits, whatever it is there.
    let endpoint = v1::LinkedEndpoint { logits: true, ..pair.endpoint() };
    let asked = v1::LinkModelRequest { endpoint: Some(endpoint), ..pair.request() };
    let linked = pair.link(asked).await.unwrap();
    let mut guard = pair.house.guard().await;
    let answer = classify(&mut guard, picture(&linked.name, png(&levels(2)))).await.unwrap();
    let exponentials: Vec<f64> =
        network.answers(&prepared(&levels(2), 255.0)).iter().map(|logit| logit.exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    let due: Vec<f64> = exponentials.iter().map(|exponential| exponential / sum).collect();
    assert_close(&probabilities(&answer), &due);
}

#[tokio::test]
async fn what_cannot_be_linked_is_refused_with_the_reason() {
    let mut pair = Pair::start().await;
    import_plain(&mut pair.theirs, "subject", &Linear::new(1).onnx(Ending::Softmax)).await;
    let at = |change: &dyn Fn(&mut v1::LinkedEndpoint)| {
        let mut endpoint = pair.endpoint();
        change(&mut endpoint);
        v1::LinkModelRequest { endpoint: Some(endpoint), ..pair.request() }
    };
    // The house's own detector, which no operator listed.
    let elsewhere = pair.house.detector.grpc.to_string();
    for (request, code, words) in [
        (at(&|to| to.endpoint.clone_from(&elsewhere)), ErrorCode::PermissionDenied, "link.endpoints"),
        (at(&|to| to.endpoint = format!("x@{}", to.endpoint)), ErrorCode::PermissionDenied, "link.endpoints"),
        (at(&|to| to.model_name = "other".to_owned()), ErrorCode::InvalidField, "\"other\" is not known"),
        (at(&|to| to.input = "image".to_owned()), ErrorCode::InvalidField, "it has pixels"),
        (at(&|to| to.output = "scores".to_owned()), ErrorCode::InvalidField, "no \"scores\""),
        (at(&|to| to.input.clear()), ErrorCode::InvalidField, "endpoint.input"),
        (v1::LinkModelRequest { endpoint: None, ..pair.request() }, ErrorCode::InvalidField, "endpoint"),
        (
            v1::LinkModelRequest { model: "models/../x".to_owned(), ..pair.request() },
            ErrorCode::InvalidName,
            "",
        ),
        (
            v1::LinkModelRequest { class_names: vec!["one".to_owned()], ..pair.request() },
            ErrorCode::InvalidField,
            "class_names",
        ),
        (
            v1::LinkModelRequest {
                preprocessing: Some(v1::Preprocessing { width: 99, ..Default::default() }),
                ..pair.request()
            },
            ErrorCode::InvalidField,
            "width is 99",
        ),
    ] {
        assert_refused(pair.link(request).await, code, words);
    }
    pair.kill_server();
    assert_refused(
        pair.link(pair.request()).await,
        ErrorCode::ServiceUnavailable,
        &pair.server.grpc.to_string(),
    );
    let listed = pair.house.models().await.list_models(v1::ListModelsRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().models, [], "nothing is left of what was refused");
}

#[tokio::test]
async fn another_network_at_the_server_is_noticed() {
    let mut pair = Pair::start().await;
    let network = Linear::new(1);
    let first = import_plain(&mut pair.theirs, "subject", &network.onnx(Ending::Softmax)).await;
    let linked = pair.link(pair.request()).await.unwrap();
    let second = import_plain(&mut pair.theirs, "subject", &Linear::new(2).onnx(Ending::Softmax)).await;
    promote(&mut pair.theirs, &second).await.unwrap();

    let refused =
        assert_refused(pair.check(&linked.name).await, ErrorCode::LinkedModelChanged, "link it again");
    assert!(refused.message().contains(&pair.server.grpc.to_string()), "{}", refused.message());
    let mut guard = pair.house.guard().await;
    let asked = || picture("models/faces", png(&levels(1)));
    assert_refused(classify(&mut guard, asked()).await, ErrorCode::LinkedModelChanged, "calibrate");
    let mut protocol = GrpcInferenceServiceClient::new(pair.house.channel().await);
    assert!(!is_ready(&mut protocol, "faces", "1").await);
    let shown = version(&pair.house, &linked.name).await;
    assert_eq!(shown.state(), State::Unavailable);
    assert!(shown.state_reason.contains("link it again"), "{}", shown.state_reason);

    // As a version of its own it is welcome.
    let again = pair.link(pair.request()).await.unwrap();
    assert_eq!((again.name.as_str(), again.promoted), ("models/faces/versions/2", false));
    assert_ne!(again.digest, linked.digest);
    let mut models = pair.house.models().await;
    promote(&mut models, &again.name).await.unwrap();
    let answer = classify(&mut guard, picture(&again.name, png(&levels(1)))).await.unwrap();
    assert_close(&probabilities(&answer), &Linear::new(2).answers(&prepared(&levels(1), 255.0)));
    assert_refused(promote(&mut models, &linked.name).await, ErrorCode::LinkedModelChanged, "link it again");

    // The old network comes back, and with it the version.
    promote(&mut pair.theirs, &first).await.unwrap();
    assert_eq!(pair.check(&linked.name).await.unwrap().state(), State::Ready);
    let answer = classify(&mut guard, picture(&linked.name, png(&levels(1)))).await.unwrap();
    assert_close(&probabilities(&answer), &network.answers(&prepared(&levels(1), 255.0)));
}

#[tokio::test]
async fn a_server_that_was_away_is_asked_before_it_is_used() {
    let mut pair = Pair::start().await;
    let network = Linear::new(1);
    import_plain(&mut pair.theirs, "subject", &network.onnx(Ending::Softmax)).await;
    let linked = pair.link(pair.request()).await.unwrap();
    let mut guard = pair.house.guard().await;
    let asked = || picture("models/faces", png(&levels(1)));
    classify(&mut guard, asked()).await.unwrap();

    pair.kill_server();
    let address = pair.server.grpc.to_string();
    assert_refused(classify(&mut guard, asked()).await, ErrorCode::ServiceUnavailable, &address);
    assert_refused(pair.check(&linked.name).await, ErrorCode::ServiceUnavailable, &address);
    assert_eq!(version(&pair.house, &linked.name).await.state(), State::Unavailable);

    pair.restart_server().await;
    let answer = classify(&mut guard, asked()).await.unwrap();
    assert_close(&probabilities(&answer), &network.answers(&prepared(&levels(1), 255.0)));
    assert_eq!(version(&pair.house, &linked.name).await.state(), State::Ready);

    // It comes back with another network: not one answer comes from that.
    let second = import_plain(&mut pair.theirs, "subject", &Linear::new(2).onnx(Ending::Softmax)).await;
    promote(&mut pair.theirs, &second).await.unwrap();
    pair.kill_server();
    assert_refused(classify(&mut guard, asked()).await, ErrorCode::ServiceUnavailable, &address);
    pair.restart_server().await;
    assert_refused(classify(&mut guard, asked()).await, ErrorCode::LinkedModelChanged, "link it again");
}

#[tokio::test]
async fn links_outlive_the_serving_program_and_the_schedule_watches_them() {
    let mut pair = Pair::start().await;
    let network = Linear::new(1);
    import_plain(&mut pair.theirs, "subject", &network.onnx(Ending::Softmax)).await;
    let linked = pair.link(pair.request()).await.unwrap();
    let store = pair.house.folder.path().join("data").display().to_string();
    let start = |own: &[(&str, String)]| {
        let store = [("store.url", store.clone()), ("service.drain.notice", "0s".to_owned())];
        let all: Vec<_> =
            store.iter().chain(own).map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Program::start("serving", &all, pair.house.folder.path())
    };
    let allowed = ("link.endpoints", format!("[\"{}\"]", pair.server.grpc));
    let another = start(&[allowed, ("link.probe_interval", "1s".to_owned())]);
    wait_until_serving(&another).await;
    let mut protocol = GrpcInferenceServiceClient::new(connect(&another).await);
    assert!(is_ready(&mut protocol, "faces", "1").await);
    let pixels = prepared(&levels(1), 255.0);
    let asked = || infer_request("faces", "", "pixels", &pixels);
    let answer = protocol.model_infer(asked()).await.unwrap().into_inner();
    let found: Vec<f64> =
        floats(&answer.raw_output_contents[0]).iter().map(|value| f64::from(*value)).collect();
    assert_close(&found, &network.answers(&pixels));

    // An operator who takes the server off the list takes the version out of service.
    let strict = start(&[]);
    wait_until_serving(&strict).await;
    let mut without = GrpcInferenceServiceClient::new(connect(&strict).await);
    assert!(!is_ready(&mut without, "faces", "1").await);
    let refused = without.model_infer(asked()).await;
    assert_refused(refused, ErrorCode::ModelNotReady, "link.endpoints");

    let second = import_plain(&mut pair.theirs, "subject", &Linear::new(2).onnx(Ending::Softmax)).await;
    promote(&mut pair.theirs, &second).await.unwrap();
    let noticed = async {
        let mut models = ModelsClient::new(connect(&another).await);
        loop {
            let request = v1::GetModelVersionRequest { name: linked.name.clone() };
            let version = models.get_model_version(request).await.unwrap().into_inner();
            if version.state() == State::Unavailable {
                return version.state_reason;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reason = tokio::time::timeout(Duration::from_secs(20), noticed).await.expect("the schedule notices");
    assert!(reason.contains("link it again"), "{reason}");
}
