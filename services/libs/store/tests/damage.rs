//! Stored bytes that are not what was stored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;

use common::{begin, directory, file, import, name, specification, version};
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_store::{ModelRecord, PageRequest, Store};

async fn one_model() -> (tempfile::TempDir, Store, ModelRecord) {
    let (folder, store) = directory().await;
    let record = import(&store.models(), "lab3", "one").await;
    (folder, store, record)
}

#[tokio::test]
async fn an_edited_file_is_never_handed_out() {
    let (folder, store, record) = one_model().await;
    let onnx = folder.path().join("models/lab3/1/model.onnx");
    let target = folder.path().join("target");
    fs::write(&target, "as it was").unwrap();
    // Same length, longer, shorter, gone.
    for content in [Some("onnx of two"), Some("onnx of one and more"), Some("onnx"), None] {
        match content {
            Some(content) => fs::write(&onnx, content).unwrap(),
            None => fs::remove_file(&onnx).unwrap(),
        }
        let models = store.models();
        let read = models.read_file(&record, &file("model.onnx")).await.unwrap_err();
        let fetched = models.fetch_file(&record, &file("model.onnx"), &target).await.unwrap_err();
        for error in [read, fetched] {
            assert_eq!(error.code(), ErrorCode::DigestMismatch, "{content:?}");
            assert!(error.to_string().contains("models/lab3/1/model.onnx"), "{error}");
            let facts = error.facts();
            assert_eq!(facts.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["file", "expected", "found"]);
            assert_ne!(facts[1].1, facts[2].1);
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), "as it was");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a half-written target was left");
    }
    let unknown = store.models().read_file(&record, &file("other.onnx")).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::ResourceNotFound);
}

#[tokio::test]
async fn an_edited_record_is_never_used() {
    let (folder, store, record) = one_model().await;
    let (models, lab3) = (store.models(), name("lab3"));
    let path = folder.path().join("models/lab3/1/model.json");
    let good = fs::read_to_string(&path).unwrap();
    assert!(good.contains("255.0") && good.contains("\"format\": 1"));
    let edits = [
        good.replace("255.0", "1.0"),
        good.replace("\"format\": 1", "\"format\": 2"),
        good.replace("\"dog\"", "\"fox\""),
        good.replacen('{', "{\"more\": 1,", 1),
        good[..good.len() - 40].to_owned(),
        String::new(),
        "null".to_owned(),
        "[".repeat(100_000),
    ];
    for edited in edits {
        assert_ne!(edited, good);
        fs::write(&path, &edited).unwrap();
        let error = models.get_version(&lab3, record.version).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::RecordInvalid, "{error}");
        assert!(error.to_string().contains("models/lab3/1/model.json"), "{error}");
        assert_eq!(models.get(&lab3).await.unwrap_err().code(), ErrorCode::RecordInvalid);
    }
    // One damaged record hides no other, and can be deleted.
    let second = import(&models, "lab3", "two").await;
    let page = models.list_versions(&lab3, &PageRequest::default()).await.unwrap();
    assert_eq!((page.items, page.damaged.len()), (vec![second], 1));
    models.delete_version(&lab3, version(1)).await.unwrap();
    assert_eq!(models.get(&lab3).await.unwrap().version_count, 1);
}

#[tokio::test]
async fn a_damaged_version_does_not_hide_its_model() {
    let (folder, store, _) = one_model().await;
    let (models, lab3) = (store.models(), name("lab3"));
    let second = import(&models, "lab3", "two").await;
    let third = import(&models, "lab3", "three").await;
    let promotion = common::promotion(3, gifthorse_store::PromotionCondition::Always);
    let promoted = models.promote(&lab3, promotion).await.unwrap();
    let damage = |number: u64| {
        fs::write(folder.path().join(format!("models/lab3/{number}/model.json")), "{").unwrap();
    };
    for (number, oldest) in [(1, &second), (2, &third)] {
        damage(number);
        let model = models.get(&lab3).await.unwrap();
        assert_eq!((model.version_count, model.create_time), (3, oldest.create_time));
        assert_eq!(model.promoted.as_ref(), Some(&promoted));
        let page = models.list(&PageRequest::default()).await.unwrap();
        assert_eq!((page.items, page.damaged.len()), (vec![model], 0));
    }
    assert_eq!(models.get_version(&lab3, version(3)).await.unwrap(), third);
    // Nothing is left that tells anything: the oldest version is reported.
    damage(3);
    let error = models.get(&lab3).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::RecordInvalid);
    assert!(error.to_string().contains("models/lab3/1/model.json"), "{error}");
    let page = models.list(&PageRequest::default()).await.unwrap();
    assert_eq!((page.items.len(), page.damaged.len()), (0, 1));
}

#[tokio::test]
async fn a_record_that_nobody_could_read_is_never_written() {
    let (folder, store, _) = one_model().await;
    let models = store.models();
    let mut bloated = specification("x");
    bloated.network = serde_json::json!({ "opset": 17, "attributes": "x".repeat(16 << 20) });
    for request in [None, Some(common::request("again", "x"))] {
        let mut import = begin(&models, "lab3", request).await;
        let number = import.version();
        import.put_bytes(file("model.onnx"), bytes::Bytes::from_static(b"x")).await.unwrap();
        let error = import.commit(bloated.clone()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooLarge, "{error}");
        assert!(error.to_string().contains("specification.network.attributes"), "{error}");
        let mark = folder.path().join(format!("models/lab3/{number}/model.json"));
        assert!(!mark.exists());
    }
    assert!(!folder.path().join("models/lab3/requests").exists());
    assert_eq!(models.get(&name("lab3")).await.unwrap().version_count, 1);
    // The same request, shortened, is taken.
    let mut import = begin(&models, "lab3", Some(common::request("again", "x"))).await;
    import.put_bytes(file("model.onnx"), bytes::Bytes::from_static(b"x")).await.unwrap();
    assert!(import.commit(specification("x")).await.unwrap().is_new());
}

#[tokio::test]
async fn a_copied_version_or_promotion_is_refused() {
    let (folder, store, _) = one_model().await;
    let models = store.models();
    let root = folder.path().join("models");
    fs::create_dir_all(root.join("lab3/8")).unwrap();
    fs::create_dir_all(root.join("other/1")).unwrap();
    for copy in ["lab3/8", "other/1"] {
        for part in ["model.onnx", "source.h5", "model.json"] {
            fs::copy(root.join("lab3/1").join(part), root.join(copy).join(part)).unwrap();
        }
    }
    for (model, number) in [("lab3", 8), ("other", 1)] {
        let error = models.get_version(&name(model), version(number)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::RecordInvalid, "{model}/{number}");
    }
    let always = common::promotion(1, gifthorse_store::PromotionCondition::Always);
    models.promote(&name("lab3"), always).await.unwrap();
    let log = root.join("lab3/promotions");
    fs::copy(log.join("000000000001.json"), log.join("000000000002.json")).unwrap();
    assert_eq!(models.promoted(&name("lab3")).await.unwrap_err().code(), ErrorCode::RecordInvalid);
}

#[tokio::test]
async fn a_contradictory_specification_is_never_committed() {
    let (_folder, store, _) = one_model().await;
    let models = store.models();
    let mut nameless = specification("x");
    nameless.tensors.output.clear();
    let mut audited = specification("x");
    let suspect = gifthorse_store::SuspectClass { label: 2, weight_z: 1.0, bias_z: 0.0 };
    audited.suspect_classes = Some(vec![suspect]);
    let mut infinite = specification("x");
    let suspect = gifthorse_store::SuspectClass { label: 1, weight_z: f64::INFINITY, bias_z: 0.0 };
    infinite.suspect_classes = Some(vec![suspect]);
    for specification in [nameless, audited, infinite] {
        let mut import = begin(&models, "lab3", None).await;
        import.put_bytes(file("model.onnx"), bytes::Bytes::from_static(b"x")).await.unwrap();
        let error = import.commit(specification).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidField, "{error}");
    }
    assert_eq!(models.get(&name("lab3")).await.unwrap().version_count, 1);
}
