//! Several serving programs on one store.

use std::time::Duration;

use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::{House, connect};

use crate::support::calls::{
    Protocol, assert_close, classify, import_plain, is_ready, picture, probabilities, promote,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};
use crate::support::replicas;

const REFRESH: (&str, &str) = ("repository.refresh", "200ms");

#[tokio::test]
async fn an_import_through_one_replica_is_served_by_the_other() {
    let house = House::start_with(&[("serving", REFRESH.0, REFRESH.1)]).await;
    let other = replicas::serving(&house, &[REFRESH]).await;
    let mut models = ModelsClient::new(connect(&house.serving).await);
    import_plain(&mut models, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;

    let mut protocol = Protocol::new(connect(&other).await);
    let follows = async { while !is_ready(&mut protocol, "faces", "").await {} };
    let waited = tokio::time::timeout(Duration::from_secs(10), follows).await;
    assert!(waited.is_ok(), "the other replica does not follow: {}", other.log());

    // A promotion through one, and a gateway that knows only the other.
    let network = Linear::new(2);
    let second = import_plain(&mut models, "faces", &network.onnx(Ending::Softmax)).await;
    promote(&mut models, &second).await.unwrap();
    let gateway = replicas::gateway(&house, &[&other]).await;
    let mut guard = GuardClient::new(connect(&gateway).await);
    let answer = classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();
    assert_eq!(answer.model_version, second);
    assert_close(&probabilities(&answer), &network.answers(&prepared(&levels(1), 255.0)));

    // A deletion reaches the other too.
    let whole = gifthorse_api::v1::DeleteModelRequest { name: "models/faces".to_owned() };
    models.delete_model(whole).await.unwrap();
    let follows = async { while is_ready(&mut protocol, "faces", "").await {} };
    assert!(tokio::time::timeout(Duration::from_secs(10), follows).await.is_ok());
}

#[tokio::test]
async fn new_versions_answer_at_every_replica_at_once() {
    // The replicas look at the store so seldom that only the requests themselves can tell them.
    let seldom = ("repository.refresh", "1h");
    let house = House::start_with(&[("serving", seldom.0, seldom.1)]).await;
    let other = replicas::serving(&house, &[seldom]).await;
    let gateway = replicas::gateway(&house, &[&house.serving, &other]).await;
    let channel = connect(&gateway).await;
    let (mut models, mut guard) = (ModelsClient::new(channel.clone()), GuardClient::new(channel));
    for seed in 1..4 {
        let network = Linear::new(seed);
        let version = import_plain(&mut models, "faces", &network.onnx(Ending::Softmax)).await;
        let expected = network.answers(&prepared(&levels(1), 255.0));
        // More requests than replicas, so that both are asked.
        for _ in 0..8 {
            let answer = classify(&mut guard, picture(&version, png(&levels(1)))).await.unwrap();
            assert_close(&probabilities(&answer), &expected);
        }
    }
}
