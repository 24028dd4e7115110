//! What may be removed, and what stays of it.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_tests::house::House;

use crate::support::calls::{
    assert_close, assert_refused, classify, import_plain, picture, probabilities, promote,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};

#[tokio::test]
async fn versions_and_models_are_deleted_and_numbers_are_not_used_again() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let first = import_plain(&mut models, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    let second = import_plain(&mut models, "faces", &Linear::new(2).onnx(Ending::Softmax)).await;
    let version = |name: &str| v1::DeleteModelVersionRequest { name: name.to_owned() };
    let asked = |name: &str| picture(name, png(&levels(1)));
    classify(&mut guard, asked(&second)).await.unwrap();

    let promoted = models.delete_model_version(version(&first)).await;
    assert_refused(promoted, ErrorCode::InUse, "promote another version first");
    models.delete_model_version(version(&second)).await.unwrap();
    assert_refused(models.delete_model_version(version(&second)).await, ErrorCode::ModelVersionNotFound, "2");
    assert_refused(classify(&mut guard, asked(&second)).await, ErrorCode::ModelVersionNotFound, "2");
    assert_refused(promote(&mut models, &second).await, ErrorCode::ModelVersionNotFound, "2");
    classify(&mut guard, asked(&first)).await.unwrap();

    let third = import_plain(&mut models, "faces", &Linear::new(3).onnx(Ending::Softmax)).await;
    assert_eq!(third, "models/faces/versions/3");
    let whole = v1::DeleteModelRequest { name: "models/faces".to_owned() };
    models.delete_model(whole.clone()).await.unwrap();
    assert_refused(models.delete_model(whole.clone()).await, ErrorCode::ModelNotFound, "faces");
    assert_refused(classify(&mut guard, asked("models/faces")).await, ErrorCode::ModelNotFound, "faces");
    let listed = models.list_models(v1::ListModelsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.models, []);

    let network = Linear::new(4);
    let fourth = import_plain(&mut models, "faces", &network.onnx(Ending::Softmax)).await;
    assert_eq!(fourth, "models/faces/versions/4");
    let answer = classify(&mut guard, asked("models/faces")).await.unwrap();
    assert_eq!(answer.model_version, fourth, "the first version after a deletion is promoted");
    assert_close(&probabilities(&answer), &network.answers(&prepared(&levels(1), 255.0)));
}
