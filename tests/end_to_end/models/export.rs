//! A version as a file again.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::export_model_version_request::Format;
use gifthorse_api::v1::export_model_version_response::Content;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_tests::house::House;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic::transport::Channel;

use crate::support::calls::{
    assert_close, assert_refused, classify, import, import_plain, picture, probabilities, specification,
};
use crate::support::network::{Ending, Linear, architecture};
use crate::support::pictures::{levels, png};

async fn export(
    models: &mut ModelsClient<Channel>,
    name: &str,
    format: Format,
) -> Result<(v1::ArtefactFile, Vec<u8>), Status> {
    let request = v1::ExportModelVersionRequest { name: name.to_owned(), format: format.into() };
    let mut pieces = models.export_model_version(request).await?.into_inner();
    let mut described = None;
    let mut content = Vec::new();
    while let Some(piece) = pieces.message().await? {
        match piece.content.expect("every piece carries something") {
            Content::File(file) => assert!(described.replace(file).is_none(), "described once"),
            Content::Chunk(chunk) => content.extend_from_slice(&chunk),
        }
    }
    let described = described.expect("the first piece describes the file");
    assert_eq!(described.size as usize, content.len());
    assert_eq!(described.sha256, hex::encode(Sha256::digest(&content)));
    Ok((described, content))
}

#[tokio::test]
async fn exports_are_what_was_stored() {
    let house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Logits);
    let version = import(&mut models, specification("faces"), &file).await.unwrap();
    let (described, served) = export(&mut models, "models/faces", Format::Onnx).await.unwrap();
    assert_eq!(described.file_name, "faces-v1.onnx");
    assert_eq!(described.sha256, version.digest);
    let (_, default) = export(&mut models, &version.name, Format::Unspecified).await.unwrap();
    assert_eq!(default, served, "ONNX is the default");
    let (described, source) = export(&mut models, &version.name, Format::Source).await.unwrap();
    assert_eq!(described.file_name, "faces-v1-source.onnx");
    assert_eq!(source, file, "the source is what was imported, to the byte");

    let keras = export(&mut models, &version.name, Format::KerasH5).await;
    assert_refused(keras, ErrorCode::ExportImpossible, "did not come from Keras");
    let guarded = export(&mut models, &version.name, Format::GuardedOnnx).await;
    assert_refused(guarded, ErrorCode::NotBuilt, "GUARDED_ONNX");
    let missing = export(&mut models, "models/faces/versions/2", Format::Onnx).await;
    assert_refused(missing, ErrorCode::ModelVersionNotFound, "2");
}

#[tokio::test]
async fn every_export_answers_the_same_when_it_is_imported_again() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let network = Linear::new(1);
    import_plain(&mut models, "full", &network.keras()).await;
    let described = v1::ImportModelSpecification {
        architecture_json: architecture().to_string(),
        ..specification("weights")
    };
    import(&mut models, described, &network.keras_weights()).await.unwrap();
    import_plain(&mut models, "onnx", &network.onnx(Ending::Logits)).await;
    for (name, format) in [
        ("full", Format::KerasH5),
        ("full", Format::Onnx),
        ("weights", Format::KerasH5),
        ("weights", Format::Onnx),
        ("onnx", Format::Onnx),
    ] {
        let (_, file) = export(&mut models, &format!("models/{name}"), format).await.unwrap();
        let copy = format!("{name}-{}", format.as_str_name().to_lowercase());
        // An exported .h5 is a full model: it needs no architecture.
        let version = import(&mut models, specification(&copy), &file).await.unwrap();
        assert!(!version.provenance.unwrap().softmax_appended, "it ends in a softmax already");
        for seed in 0..5 {
            let picture_of = |name: &str| picture(&format!("models/{name}"), png(&levels(seed)));
            let before = classify(&mut guard, picture_of(name)).await.unwrap();
            let after = classify(&mut guard, picture_of(&copy)).await.unwrap();
            assert_close(&probabilities(&after), &probabilities(&before));
        }
    }
}
