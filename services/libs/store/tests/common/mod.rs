//! What the tests of the store share.
#![allow(dead_code, reason = "every test program uses a part of it")]

use bytes::Bytes;
use gifthorse_api::name::{Identifier, Version};
use gifthorse_store::{
    Classes, FileName, ImportStart, ModelImport, ModelRecord, ModelSource, ModelSpecification, Models,
    PromotionCondition, PromotionRequest, Provenance, Request, RequestId, Sha256Digest, Store, SuspectRule,
    TensorNames,
};
use serde_json::json;
use tempfile::TempDir;

/// A store in a directory of its own.
pub(crate) async fn directory() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).await.unwrap();
    (folder, store)
}

/// A store that is no directory.
pub(crate) fn memory() -> Store {
    Store::on(std::sync::Arc::new(object_store::memory::InMemory::new()))
}

pub(crate) fn name(text: &str) -> Identifier {
    text.parse().unwrap()
}

pub(crate) fn file(text: &str) -> FileName {
    text.parse().unwrap()
}

pub(crate) fn version(number: u64) -> Version {
    Version::new(number).unwrap()
}

pub(crate) fn specification(producer: &str) -> ModelSpecification {
    let preprocessing = json!({
        "height": 55, "width": 47, "channels": 3, "layout": "nhwc", "channel_order": "rgb", "scale": 255.0,
    });
    ModelSpecification {
        preprocessing: serde_json::from_value(preprocessing).unwrap(),
        classes: Classes::new(2, vec!["cat".into(), "dog".into()]).unwrap(),
        tensors: TensorNames {
            input: "image".into(),
            output: "probabilities".into(),
            logits: "logits".into(),
        },
        layers: Vec::new(),
        parameter_count: 7,
        provenance: Provenance {
            source: ModelSource::KerasModel,
            file_name: "folder/net.h5".into(),
            producer: producer.into(),
            architecture: None,
            softmax_appended: false,
            parent: None,
            pruning_job: None,
        },
        suspect_classes: None,
        repair_gate: None,
        network: json!({ "opset": 17, "scale": 0.1 }),
        linked: None,
    }
}

pub(crate) fn request(id: &str, content: &str) -> Request {
    Request { id: id.parse::<RequestId>().unwrap(), content: Sha256Digest::of(content.as_bytes()) }
}

pub(crate) async fn begin(models: &Models, model: &str, request: Option<Request>) -> ModelImport {
    match models.begin_import(&name(model), request).await.unwrap() {
        ImportStart::New(import) => *import,
        ImportStart::Earlier(record) => panic!("version {} was made before", record.version),
    }
}

/// Imports a version whose files and record all carry `content`.
pub(crate) async fn import(models: &Models, model: &str, content: &str) -> ModelRecord {
    let mut import = begin(models, model, None).await;
    import.put_bytes(file("model.onnx"), Bytes::from(format!("onnx of {content}"))).await.unwrap();
    import.put_bytes(file("source.h5"), Bytes::from(format!("keras of {content}"))).await.unwrap();
    import.commit(specification(content)).await.unwrap().into_record()
}

/// Checks that files and record of a version come from one import.
pub(crate) async fn assert_whole(models: &Models, record: &ModelRecord) {
    let content = &record.specification.provenance.producer;
    let onnx = models.read_file(record, &file("model.onnx")).await.unwrap();
    let keras = models.read_file(record, &file("source.h5")).await.unwrap();
    assert_eq!(onnx, format!("onnx of {content}"));
    assert_eq!(keras, format!("keras of {content}"));
    assert_eq!(record.digest, Sha256Digest::of(&onnx));
}

pub(crate) fn promotion(number: u64, condition: PromotionCondition) -> PromotionRequest {
    PromotionRequest { version: version(number), suspect: SuspectRule::None, condition }
}
