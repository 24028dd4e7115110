//! Every kind of file, and what is refused beside it.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::model_version::State;
use gifthorse_api::v1::provenance::Source;
use gifthorse_tests::house::House;
use sha2::{Digest, Sha256};

use crate::support::calls::{
    assert_close, assert_refused, classify, import, import_plain, picture, probabilities, specification,
};
use crate::support::network::{CHANNELS, CLASSES, Ending, HEIGHT, Linear, VALUES, WIDTH, architecture};
use crate::support::pictures::{levels, png, prepared};

#[tokio::test]
async fn every_kind_of_file_answers_what_its_weights_say() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let network = Linear::new(1);
    let json = architecture().to_string();
    let levels = levels(1);
    let expected = network.answers(&prepared(&levels, 255.0));
    for (name, file, architecture_json, source, softmax_appended) in [
        ("keras", network.keras(), "", Source::KerasModel, false),
        ("weights", network.keras_weights(), json.as_str(), Source::KerasWeights, false),
        ("onnx", network.onnx(Ending::Softmax), "", Source::Onnx, false),
        ("logits", network.onnx(Ending::Logits), "", Source::Onnx, true),
    ] {
        let asked = v1::ImportModelSpecification {
            file_name: format!("../folder/{name}.bin"),
            architecture_json: architecture_json.to_owned(),
            ..specification(name)
        };
        let version = import(&mut models, asked, &file).await.unwrap();
        assert_eq!(version.name, format!("models/{name}/versions/1"));
        assert!(version.promoted, "the first version answers at once");
        assert_eq!(version.state(), State::Ready, "{}", version.state_reason);
        assert_eq!(version.class_count, CLASSES as i32);
        assert_eq!(version.parameter_count, (VALUES * CLASSES + CLASSES) as i64);
        let input = version.preprocessing.as_ref().unwrap();
        assert_eq!(
            (input.height, input.width, input.channels),
            (HEIGHT as i32, WIDTH as i32, CHANNELS as i32)
        );
        assert_eq!(input.layout(), v1::layout::Kind::Nhwc);
        assert_eq!(input.channel_order(), v1::channel_order::Kind::Rgb);
        let provenance = version.provenance.as_ref().unwrap();
        assert_eq!(provenance.source(), source);
        assert_eq!(provenance.softmax_appended, softmax_appended, "{name}");
        assert_eq!(provenance.file_name, format!("{name}.bin"), "folders are not kept");
        assert_eq!(provenance.architecture, if architecture_json.is_empty() { "" } else { "json" });
        let stored = version.files.iter().find(|stored| stored.file_name.starts_with("source.")).unwrap();
        assert_eq!(stored.sha256, hex::encode(Sha256::digest(&file)), "the file is kept as it came");
        let served = version.files.iter().find(|stored| stored.file_name == "model.onnx").unwrap();
        assert_eq!(version.digest, served.sha256);
        assert!(!version.layers.is_empty());

        let answer = classify(&mut guard, picture(&format!("models/{name}"), png(&levels))).await.unwrap();
        assert_eq!(answer.model_version, version.name);
        assert_close(&probabilities(&answer), &expected);
        assert!((answer.top.iter().map(|class| class.probability).sum::<f64>() - 1.0).abs() < 1e-5);
    }
}

#[tokio::test]
async fn weights_alone_need_an_architecture() {
    let house = House::start().await;
    let mut models = house.models().await;
    let weights = Linear::new(1).keras_weights();
    let alone = import(&mut models, specification("bare"), &weights).await;
    assert_refused(alone, ErrorCode::ModelFileUnsupported, "--architecture");
    let unknown = v1::ImportModelSpecification { architecture: "vgg".to_owned(), ..specification("bare") };
    assert_refused(import(&mut models, unknown, &weights).await, ErrorCode::InvalidField, "deepid");
    let json = architecture().to_string();
    let both = v1::ImportModelSpecification {
        architecture: "deepid".to_owned(),
        architecture_json: json,
        ..specification("bare")
    };
    assert_refused(import(&mut models, both, &weights).await, ErrorCode::InvalidField, "give one");
    let listed = models.list_models(v1::ListModelsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.models, [], "what is refused leaves nothing behind");
}

#[tokio::test]
async fn class_names_are_as_many_as_classes() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let file = Linear::new(1).onnx(Ending::Softmax);
    let people: Vec<String> = ["anna", "berta", "carl", "dora"].map(str::to_owned).into();
    let named = v1::ImportModelSpecification { class_names: people.clone(), ..specification("named") };
    let version = import(&mut models, named, &file).await.unwrap();
    assert_eq!(version.class_names, people);
    let answer = classify(&mut guard, picture("models/named", png(&levels(2)))).await.unwrap();
    assert_eq!(answer.label_name, people[answer.label as usize]);
    for class in &answer.top {
        assert_eq!(class.label_name, people[class.label as usize]);
    }
    let few = v1::ImportModelSpecification { class_names: people[..3].to_vec(), ..specification("named") };
    assert_refused(import(&mut models, few, &file).await, ErrorCode::InvalidField, "class_names");
    import_plain(&mut models, "unnamed", &file).await;
    let answer = classify(&mut guard, picture("models/unnamed", png(&levels(2)))).await.unwrap();
    assert_eq!(answer.label_name, "");
}

#[tokio::test]
async fn a_file_with_another_digest_is_refused() {
    let house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Softmax);
    let digest = hex::encode(Sha256::digest(&file));
    let expecting = |digest: &str| v1::ImportModelSpecification {
        expected_sha256: digest.to_owned(),
        ..specification("announced")
    };
    let other = "0".repeat(64);
    let refused = import(&mut models, expecting(&other), &file).await;
    assert_refused(refused, ErrorCode::DigestMismatch, &other);
    assert_refused(import(&mut models, expecting("abc"), &file).await, ErrorCode::DigestMismatch, "abc");
    import(&mut models, expecting(&digest), &file).await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_answers_the_version_made_first() {
    let house = House::start().await;
    let mut models = house.models().await;
    let asked = v1::ImportModelSpecification { request_id: "import-1".to_owned(), ..specification("once") };
    let file = Linear::new(1).onnx(Ending::Softmax);
    let first = import(&mut models, asked.clone(), &file).await.unwrap();
    let again = import(&mut models, asked.clone(), &file).await.unwrap();
    assert_eq!(again, first);
    let other = import(&mut models, asked.clone(), &Linear::new(2).onnx(Ending::Softmax)).await;
    assert_refused(other, ErrorCode::RequestIdReused, "import-1");
    let renamed = v1::ImportModelSpecification { file_name: "other.onnx".to_owned(), ..asked };
    assert_refused(import(&mut models, renamed, &file).await, ErrorCode::RequestIdReused, "import-1");
    let model = models.get_model(v1::GetModelRequest { name: "models/once".to_owned() }).await.unwrap();
    assert_eq!(model.into_inner().version_count, 1);
    import_plain(&mut models, "once", &file).await;
}
