//! Many writers at once: tasks, and processes that share a directory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeSet;
use std::process::Command;

use common::{assert_whole, directory, import, memory, name, promotion, version};
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_store::{PageRequest, PromotionCondition, Store};
use tokio::task::JoinSet;

const WRITERS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_imports_make_sixteen_whole_versions() {
    let (_folder, on_disk) = directory().await;
    for store in [on_disk, memory()] {
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let models = store.models();
            tasks.spawn(async move { import(&models, "lab3", &format!("writer {writer}")).await });
        }
        let records = tasks.join_all().await;
        let numbers: BTreeSet<u64> = records.iter().map(|record| record.version.number()).collect();
        assert_eq!(numbers, (1..=WRITERS).collect());
        let models = store.models();
        let page = models.list_versions(&name("lab3"), &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len(), records.len());
        let contents: BTreeSet<_> =
            page.items.iter().map(|record| &record.specification.provenance.producer).collect();
        assert_eq!(contents.len(), records.len());
        for record in &page.items {
            assert_whole(&models, record).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_promotions_with_an_etag_wins() {
    let (_folder, store) = directory().await;
    let models = store.models();
    for writer in 0..4 {
        import(&models, "lab3", &format!("writer {writer}")).await;
    }
    let seen = models.promote(&name("lab3"), promotion(1, PromotionCondition::Always)).await.unwrap();
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let models = store.models();
        let request = promotion(writer % 4 + 1, PromotionCondition::Unchanged(seen.etag));
        tasks.spawn(async move { models.promote(&name("lab3"), request).await });
    }
    let mut winners = Vec::new();
    for outcome in tasks.join_all().await {
        match outcome {
            Ok(promotion) => winners.push(promotion),
            Err(error) => assert_eq!(error.code(), ErrorCode::EtagMismatch),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(models.promoted(&name("lab3")).await.unwrap().as_ref(), winners.first());

    // Without an etag everybody gets an entry of the log.
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let models = store.models();
        let request = promotion(writer % 4 + 1, PromotionCondition::Always);
        tasks.spawn(async move { models.promote(&name("lab3"), request).await.unwrap().etag });
    }
    let etags: BTreeSet<_> = tasks.join_all().await.into_iter().collect();
    assert_eq!(etags.len() as u64, WRITERS);
    assert_eq!(models.history(&name("lab3")).await.unwrap().len() as u64, WRITERS + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_promoted_is_there_whoever_deletes() {
    let (_folder, store) = directory().await;
    for round in 0..12 {
        let models = store.models();
        let model = format!("model-{round}");
        for content in ["one", "two"] {
            import(&models, &model, content).await;
        }
        let model = name(&model);
        models.promote(&model, promotion(1, PromotionCondition::Always)).await.unwrap();
        let mut tasks = JoinSet::new();
        let (promoting, deleting) = (models.clone(), models.clone());
        let (promoted, deleted) = (model.clone(), model.clone());
        tasks.spawn(async move {
            promoting.promote(&promoted, promotion(2, PromotionCondition::Always)).await.map(|_| ())
        });
        tasks.spawn(async move { deleting.delete_version(&deleted, version(2)).await });
        for error in tasks.join_all().await.into_iter().filter_map(Result::err) {
            assert!(matches!(error.code(), ErrorCode::InUse | ErrorCode::ModelVersionNotFound), "{error}");
        }
        let answering = models.promoted(&model).await.unwrap().unwrap().version.unwrap();
        assert_whole(&models, &models.get_version(&model, answering).await.unwrap()).await;
    }
}

const SHARED: &str = "GIFTHORSE_STORE_RACE_FOLDER";

#[tokio::test]
async fn processes_share_a_directory() {
    let (folder, store) = directory().await;
    let children: Vec<_> = (0..3)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "another_process", "--ignored", "--nocapture"])
                .env(SHARED, folder.path())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let models = store.models();
    let page = models.list_versions(&name("shared"), &PageRequest::default()).await.unwrap();
    let numbers: Vec<u64> = page.items.iter().map(|record| record.version.number()).collect();
    assert_eq!(numbers, (1..=12).rev().collect::<Vec<_>>());
    for record in &page.items {
        assert_whole(&models, record).await;
    }
    assert_eq!(models.history(&name("shared")).await.unwrap().len(), 12);
}

/// Not a test of its own: the process that the test above starts.
#[tokio::test]
#[ignore = "started by processes_share_a_directory"]
async fn another_process() {
    let Ok(folder) = std::env::var(SHARED) else { return };
    let models = Store::open(&folder).await.unwrap().models();
    for index in 0..4 {
        let record = import(&models, "shared", &format!("process {} {index}", std::process::id())).await;
        let request = promotion(record.version.number(), PromotionCondition::Always);
        models.promote(&name("shared"), request).await.unwrap();
    }
}
