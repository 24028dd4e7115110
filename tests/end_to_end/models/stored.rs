//! What the store keeps over restarts, and what it notices of damage.

use std::path::PathBuf;

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::RepositoryIndexRequest;
use gifthorse_api::v1;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::model_version::State;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::{House, connect};

use crate::support::calls::{
    Protocol, assert_refused, classify, import_plain, infer_request, picture, probabilities, promote,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};
use crate::support::replicas;

#[tokio::test]
async fn models_survive_a_restart_of_serving() {
    let mut house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    import_plain(&mut models, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    let second = import_plain(&mut models, "faces", &Linear::new(2).keras()).await;
    let promoted = promote(&mut models, &second).await.unwrap();
    let version =
        models.get_model_version(v1::GetModelVersionRequest { name: second.clone() }).await.unwrap();
    let before = classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();

    house.serving.signal("TERM");
    assert!(house.serving.wait().success());
    let serving = replicas::serving(&house, &[]).await;
    let gateway = replicas::gateway(&house, &[&serving]).await;
    let channel = connect(&gateway).await;
    let (mut models, mut guard) = (ModelsClient::new(channel.clone()), GuardClient::new(channel));
    let model = models.get_model(v1::GetModelRequest { name: "models/faces".to_owned() }).await.unwrap();
    assert_eq!(model.into_inner(), promoted);
    let kept = models.get_model_version(v1::GetModelVersionRequest { name: second.clone() }).await.unwrap();
    assert_eq!(kept.into_inner(), version.into_inner());
    let after = classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();
    assert_eq!(after.model_version, second);
    assert_eq!(probabilities(&after), probabilities(&before));
}

#[tokio::test]
async fn a_damaged_network_is_unavailable_and_the_others_go_on() {
    let mut house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Softmax);
    import_plain(&mut models, "edited", &file).await;
    import_plain(&mut models, "edited", &file).await;
    import_plain(&mut models, "sound", &file).await;
    house.serving.signal("TERM");
    assert!(house.serving.wait().success());
    let edited: PathBuf = house.folder.path().join("data/models/edited/1/model.onnx");
    let mut bytes = std::fs::read(&edited).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&edited, bytes).unwrap();

    let serving = replicas::serving(&house, &[]).await;
    let gateway = replicas::gateway(&house, &[&serving]).await;
    let channel = connect(&gateway).await;
    let (mut models, mut guard) = (ModelsClient::new(channel.clone()), GuardClient::new(channel));
    let mut protocol = Protocol::new(connect(&serving).await);
    let get = |name: &str| v1::GetModelVersionRequest { name: name.to_owned() };
    let version = models.get_model_version(get("models/edited/versions/1")).await.unwrap().into_inner();
    assert_eq!(version.state(), State::Unavailable);
    assert!(
        version.state_reason.contains("SHA-256") || version.state_reason.contains("digest"),
        "{version:?}"
    );
    let refused = classify(&mut guard, picture("models/edited", png(&levels(1)))).await;
    assert_refused(refused, ErrorCode::ModelNotReady, "unavailable");
    let request = infer_request("edited", "1", "pixels", &prepared(&levels(1), 255.0));
    assert_refused(protocol.model_infer(request).await, ErrorCode::ModelNotReady, "unavailable");
    let index = protocol.repository_index(RepositoryIndexRequest::default()).await.unwrap().into_inner();
    let states: Vec<_> = index
        .models
        .iter()
        .map(|entry| format!("{} {} {}", entry.name, entry.version, entry.state))
        .collect();
    assert_eq!(states, ["edited 1 UNAVAILABLE", "edited 2 READY", "sound 1 READY"]);
    for name in ["models/edited/versions/2", "models/sound"] {
        classify(&mut guard, picture(name, png(&levels(1)))).await.unwrap();
    }
    let damaged = promote(&mut models, "models/edited/versions/2").await.unwrap();
    assert_eq!(damaged.promoted_version, "models/edited/versions/2", "a sound version can take over");
    let back = promote(&mut models, "models/edited/versions/1").await;
    assert_refused(back, ErrorCode::ModelNotReady, "UNAVAILABLE");
}
