//! The model repository, as one process sees it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use bytes::Bytes;
use common::{
    assert_whole, begin, directory, file, import, memory, name, promotion, request, specification, version,
};
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_store::{
    Etag, ImportStart, PageRequest, PromotionCondition, PromotionRequest, Store, StoreError, SuspectRule,
};

#[tokio::test]
async fn versions_are_numbered_listed_and_read_back() {
    let (folder, store) = directory().await;
    for store in [store, memory()] {
        let models = store.models();
        for content in ["one", "two", "three"] {
            import(&models, "lab3", content).await;
        }
        let page = models.list_versions(&name("lab3"), &PageRequest::default()).await.unwrap();
        let numbers: Vec<u64> = page.items.iter().map(|record| record.version.number()).collect();
        assert_eq!(numbers, [3, 2, 1]);
        for record in &page.items {
            assert_whole(&models, record).await;
            assert_eq!(*record, models.get_version(&name("lab3"), record.version).await.unwrap());
        }
        let model = models.get(&name("lab3")).await.unwrap();
        assert_eq!((model.version_count, model.promoted, model.etag), (3, None, Etag::NEVER));
        assert_eq!(model.create_time, page.items[2].create_time);
    }
    // The layout that other servers read.
    let onnx = std::fs::read(folder.path().join("models/lab3/2/model.onnx")).unwrap();
    assert_eq!(onnx, b"onnx of two");
}

#[tokio::test]
async fn promotions_switch_and_remember() {
    let store = memory();
    let (models, lab3) = (store.models(), name("lab3"));
    for content in ["one", "two"] {
        import(&models, "lab3", content).await;
    }
    let promote = async |number, condition| models.promote(&lab3, promotion(number, condition)).await;
    let first = promote(1, PromotionCondition::NothingPromoted).await.unwrap();
    let same = promote(2, PromotionCondition::NothingPromoted).await.unwrap();
    assert_eq!(first, same, "a later version must not push the first one aside");
    let pair = PromotionRequest {
        version: version(2),
        suspect: SuspectRule::Origin,
        condition: PromotionCondition::Unchanged(first.etag),
    };
    let second = models.promote(&lab3, pair).await.unwrap();
    assert_eq!((second.version, second.suspect), (Some(version(2)), Some(version(1))));
    let late = models.promote(&lab3, pair).await.unwrap_err();
    assert_eq!((late.code(), late.field().as_deref()), (ErrorCode::EtagMismatch, Some("etag")));
    let missing = promote(9, PromotionCondition::Always).await.unwrap_err();
    assert_eq!(missing.code(), ErrorCode::ModelVersionNotFound);
    assert_eq!(models.promoted(&lab3).await.unwrap(), Some(second.clone()));
    assert_eq!(models.history(&lab3).await.unwrap(), [second.clone(), first]);
    assert_eq!(models.get(&lab3).await.unwrap().etag, second.etag);
    assert_eq!(second.etag.to_string().parse::<Etag>().unwrap(), second.etag);

    for used in [1, 2] {
        let error = models.delete_version(&lab3, version(used)).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InUse, "version {used}");
    }
}

#[tokio::test]
async fn deleting_and_importing_again_continues_the_numbers() {
    let (folder, store) = directory().await;
    let (models, lab3) = (store.models(), name("lab3"));
    for content in ["one", "two", "three"] {
        import(&models, "lab3", content).await;
    }
    models.delete_version(&lab3, version(3)).await.unwrap();
    let gone = models.get_version(&lab3, version(3)).await.unwrap_err();
    assert_eq!(gone.code(), ErrorCode::ModelVersionNotFound);
    let again = models.delete_version(&lab3, version(3)).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::ModelVersionNotFound);
    assert!(!folder.path().join("models/lab3/3/model.onnx").exists());
    assert_eq!(import(&models, "lab3", "four").await.version, version(4));

    let before = models.promote(&lab3, promotion(4, PromotionCondition::Always)).await.unwrap();
    models.delete(&lab3).await.unwrap();
    for error in [
        models.get(&lab3).await.unwrap_err(),
        models.delete(&lab3).await.unwrap_err(),
        models.history(&lab3).await.unwrap_err(),
        models.list_versions(&lab3, &PageRequest::default()).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::ModelNotFound);
    }
    assert_eq!(models.promoted(&lab3).await.unwrap(), None);
    assert!(models.list(&PageRequest::default()).await.unwrap().items.is_empty());

    assert_eq!(import(&models, "lab3", "five").await.version, version(5));
    let model = models.get(&lab3).await.unwrap();
    assert!(model.promoted.is_none() && model.etag > before.etag, "an old etag must not fit the new model");
    let stale = models.promote(&lab3, promotion(5, PromotionCondition::Unchanged(before.etag))).await;
    assert_eq!(stale.unwrap_err().code(), ErrorCode::EtagMismatch);
    let now = models.promote(&lab3, promotion(5, PromotionCondition::NothingPromoted)).await.unwrap();
    assert_eq!(now.version, Some(version(5)));
}

#[tokio::test]
async fn pages_cover_everything_once_and_tokens_stay_at_home() {
    let store = memory();
    let models = store.models();
    for model in ["a", "b", "b-2", "c", "d"] {
        import(&models, model, "one").await;
    }
    import(&models, "a", "two").await;
    models.delete(&name("c")).await.unwrap();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = models.list(&PageRequest::new(2, token).unwrap()).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|model| model.name.to_string()));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "b-2", "d"]);

    let token =
        models.list_versions(&name("a"), &PageRequest::new(1, "").unwrap()).await.unwrap().next_page_token;
    let second = PageRequest::new(1, token).unwrap();
    let page = models.list_versions(&name("a"), &second).await.unwrap();
    assert_eq!((page.items[0].version, page.next_page_token.as_str()), (version(1), ""));
    for error in [
        models.list(&second).await.unwrap_err(),
        models.list_versions(&name("b"), &second).await.unwrap_err(),
        store.datasets().list(&second).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::InvalidPageToken);
    }
}

#[tokio::test]
async fn a_repeated_request_answers_the_first_version() {
    let store = memory();
    let (models, lab3) = (store.models(), name("lab3"));
    let finish = async |mut import: gifthorse_store::ModelImport| {
        import.put_bytes(file("model.onnx"), Bytes::from_static(b"onnx")).await.unwrap();
        import.commit(specification("x")).await
    };
    // Two imports of one request are under way at once: the second to commit is answered with the first.
    let one = begin(&models, "lab3", Some(request("id/../1", "x"))).await;
    let two = begin(&models, "lab3", Some(request("id/../1", "x"))).await;
    let other = begin(&models, "lab3", Some(request("id/../1", "y"))).await;
    let first = finish(one).await.unwrap();
    let second = finish(two).await.unwrap();
    assert!(first.is_new() && !second.is_new());
    let record = first.into_record();
    assert_eq!(record, second.into_record());
    assert_eq!(finish(other).await.unwrap_err().code(), ErrorCode::RequestIdReused);
    assert_eq!(models.get(&lab3).await.unwrap().version_count, 1);

    match models.begin_import(&lab3, Some(request("id/../1", "x"))).await.unwrap() {
        ImportStart::Earlier(earlier) => assert_eq!(*earlier, record),
        ImportStart::New(_) => panic!("the request was made before"),
    }
    let reused = models.begin_import(&lab3, Some(request("id/../1", "y"))).await.unwrap_err();
    assert_eq!((reused.code(), reused.field().as_deref()), (ErrorCode::RequestIdReused, Some("request_id")));
    // Another model has ids of its own, and a deleted version can be imported again.
    begin(&models, "other", Some(request("id/../1", "y"))).await;
    models.delete_version(&lab3, record.version).await.unwrap();
    let again = begin(&models, "lab3", Some(request("id/../1", "x"))).await;
    assert!(again.version() > record.version);
}

#[tokio::test]
async fn files_are_named_plainly_and_once() {
    let store = memory();
    let mut import = begin(&store.models(), "lab3", None).await;
    for hostile in ["../claim.json", "a/b", ".hidden", "", "model.onnx#1", "%2e%2e"] {
        assert!(hostile.parse::<gifthorse_store::FileName>().is_err(), "{hostile:?}");
    }
    for reserved in ["claim.json", "model.json"] {
        let error = import.put_bytes(file(reserved), Bytes::new()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName);
    }
    import.put_bytes(file("source.h5"), Bytes::from_static(b"first")).await.unwrap();
    let twice = import.put_bytes(file("source.h5"), Bytes::from_static(b"second")).await.unwrap_err();
    assert!(matches!(twice, StoreError::FileName { .. }));
    let incomplete = import.commit(specification("x")).await.unwrap_err();
    assert!(
        matches!(incomplete, StoreError::RecordRefused { .. }),
        "a version without model.onnx: {incomplete}"
    );
}

#[tokio::test]
async fn foreign_things_in_the_folder_are_left_alone() {
    let (folder, store) = directory().await;
    let models = store.models();
    let root = folder.path().join("models");
    std::fs::create_dir_all(root.join("Not A Model/1")).unwrap();
    std::fs::create_dir_all(root.join("lab3/latest")).unwrap();
    std::fs::create_dir_all(root.join("lab3/007")).unwrap();
    std::fs::create_dir_all(root.join("empty/3")).unwrap();
    std::fs::write(root.join("README"), "notes").unwrap();
    std::fs::write(root.join("lab3/config.pbtxt"), "foreign").unwrap();
    std::fs::create_dir_all(root.join("lab3/2")).unwrap();
    std::fs::write(root.join("lab3/2/model.onnx"), "foreign").unwrap();
    assert!(models.list(&PageRequest::default()).await.unwrap().items.is_empty());
    // A folder that is there counts as claimed, even though nobody claimed it.
    assert_eq!(import(&models, "lab3", "one").await.version, version(3));
    assert_eq!(models.get(&name("lab3")).await.unwrap().version_count, 1);

    std::fs::create_dir_all(root.join("full").join(u64::MAX.to_string())).unwrap();
    std::fs::write(root.join("full").join(u64::MAX.to_string()).join("x"), "x").unwrap();
    let error = models.begin_import(&name("full"), None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::RecordInvalid);
}

#[tokio::test]
async fn large_files_travel_in_parts() {
    let (folder, store) = directory().await;
    let models = store.models();
    for size in [0, 1, 8 << 20, (20 << 20) + 3] {
        let content: Vec<u8> =
            (0..size).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let source = folder.path().join("source");
        std::fs::write(&source, &content).unwrap();
        let mut import = begin(&models, "large", None).await;
        let stored = import.put_path(file("source.h5"), &source).await.unwrap();
        let also = import.put_bytes(file("model.onnx"), Bytes::from(content.clone())).await.unwrap();
        assert_eq!((stored, stored.size), (also, u64::from(size)));
        let record = import.commit(specification("x")).await.unwrap().into_record();
        assert_eq!(models.read_file(&record, &file("model.onnx")).await.unwrap(), content);
        let target = folder.path().join("target");
        models.fetch_file(&record, &file("source.h5"), &target).await.unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), content);
    }
    let missing =
        begin(&models, "large", None).await.put_path(file("a"), &folder.path().join("absent")).await;
    assert!(matches!(missing, Err(StoreError::LocalFile { .. })));
}

#[tokio::test]
async fn a_store_of_an_unknown_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for address in [file.to_str().unwrap(), "gs://bucket/path", "s3://key:secret@bucket/path", ""] {
        let error = Store::open(address).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidField, "{address}");
    }
}
