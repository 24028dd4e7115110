//! Stored data sets.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use bytes::Bytes;
use common::{directory, file, memory, name};
use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_store::{
    Committed, DatasetContents, DatasetRecord, DatasetSource, Datasets, LabelSummary, PageRequest, PixelType,
    Result,
};
use tokio::task::JoinSet;

fn contents() -> DatasetContents {
    DatasetContents {
        image_count: 149,
        height: 55,
        width: 47,
        channels: 3,
        pixel_type: PixelType::Uint8,
        labels: LabelSummary { class_count: 37, lowest: 4, highest: 1200 },
        group_count: Some(140),
        duplicate_count: 2,
        source: DatasetSource::Hdf5,
        file_name: "faces.h5".into(),
    }
}

async fn upload(
    datasets: &Datasets,
    dataset: &str,
    content: &'static str,
    id: Option<&str>,
) -> Result<Committed<DatasetRecord>> {
    let mut writer = datasets.begin(&name(dataset), id.map(|id| id.parse().unwrap()));
    writer.put_bytes(file("images.bin"), Bytes::from_static(content.as_bytes())).await?;
    writer.put_bytes(file("labels.bin"), Bytes::from_static(b"labels")).await?;
    writer.commit(contents()).await
}

#[tokio::test]
async fn equal_content_is_the_same_data_set() {
    let (_folder, on_disk) = directory().await;
    for store in [on_disk, memory()] {
        let datasets = store.datasets();
        let first = upload(&datasets, "faces", "one", Some("request-1")).await.unwrap();
        assert!(first.is_new());
        let record = first.into_record();
        let again = upload(&datasets, "faces", "one", None).await.unwrap();
        assert_eq!(again, Committed::Earlier(record.clone()));
        let other = upload(&datasets, "faces", "two", None).await.unwrap_err();
        assert_eq!(other.code(), ErrorCode::AlreadyExists);
        let reused = upload(&datasets, "faces", "two", Some("request-1")).await.unwrap_err();
        assert_eq!(reused.code(), ErrorCode::RequestIdReused);
        assert_eq!(datasets.get(&name("faces")).await.unwrap(), record);
        assert_eq!(datasets.read_file(&record, &file("images.bin")).await.unwrap(), "one");
        assert_eq!(upload(&datasets, "copy", "one", None).await.unwrap().into_record().digest, record.digest);

        datasets.delete(&name("faces")).await.unwrap();
        for error in [
            datasets.get(&name("faces")).await.unwrap_err(),
            datasets.delete(&name("faces")).await.unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::DatasetNotFound);
        }
        assert!(upload(&datasets, "faces", "two", None).await.unwrap().is_new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_uploads_takes_the_name() {
    let (_folder, store) = directory().await;
    let mut tasks = JoinSet::new();
    for writer in 0..16 {
        let datasets = store.datasets();
        let content = ["one", "two"][writer % 2];
        tasks.spawn(async move { upload(&datasets, "faces", content, None).await });
    }
    let outcomes = tasks.join_all().await;
    let winner = store.datasets().get(&name("faces")).await.unwrap();
    let mut new = 0;
    for outcome in outcomes {
        match outcome {
            Ok(committed) => {
                new += usize::from(committed.is_new());
                assert_eq!(committed.into_record(), winner);
            }
            Err(error) => assert_eq!(error.code(), ErrorCode::AlreadyExists),
        }
    }
    assert_eq!(new, 1);
    let content = store.datasets().read_file(&winner, &file("images.bin")).await.unwrap();
    assert!(content == "one" || content == "two");
}

#[tokio::test]
async fn an_upload_without_commit_is_invisible() {
    let (folder, store) = directory().await;
    let datasets = store.datasets();
    let mut writer = datasets.begin(&name("faces"), None);
    writer.put_bytes(file("images.bin"), Bytes::from_static(b"half")).await.unwrap();
    drop(writer);
    assert!(datasets.list(&PageRequest::default()).await.unwrap().items.is_empty());
    assert!(store.sweep().await.unwrap().removed.is_empty(), "it may still be under way");
    let record = upload(&datasets, "faces", "one", None).await.unwrap().into_record();
    let page = datasets.list(&PageRequest::default()).await.unwrap();
    assert_eq!(page.items, std::slice::from_ref(&record));

    let images = folder.path().join("datasets/faces").join(record.content_id.as_str()).join("images.bin");
    std::fs::write(images, "two").unwrap();
    let error = datasets.read_file(&record, &file("images.bin")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DigestMismatch);
}

#[tokio::test]
async fn a_damaged_record_is_reported_and_can_be_deleted() {
    let (folder, store) = directory().await;
    let datasets = store.datasets();
    for dataset in ["a", "b", "c"] {
        upload(&datasets, dataset, "one", None).await.unwrap();
    }
    let path = folder.path().join("datasets/b/dataset.json");
    let record = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, record.replace("149", "150")).unwrap();
    let page = datasets.list(&PageRequest::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|record| record.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(page.damaged[0].code(), ErrorCode::RecordInvalid);
    datasets.delete(&name("b")).await.unwrap();
    assert!(datasets.list(&PageRequest::default()).await.unwrap().damaged.is_empty());
    assert!(upload(&datasets, "b", "two", None).await.unwrap().is_new());
}

#[tokio::test]
async fn impossible_counts_are_refused() {
    let store = memory();
    let changes: [fn(&mut DatasetContents); 6] = [
        |contents| contents.image_count = 0,
        |contents| contents.width = 0,
        |contents| contents.labels.class_count = 150,
        |contents| contents.labels = LabelSummary { class_count: 3, lowest: 0, highest: 1 },
        |contents| contents.group_count = Some(0),
        |contents| contents.duplicate_count = 149,
    ];
    for change in changes {
        let mut writer = store.datasets().begin(&name("faces"), None);
        writer.put_bytes(file("images.bin"), Bytes::from_static(b"x")).await.unwrap();
        let mut wrong = contents();
        change(&mut wrong);
        assert_eq!(writer.commit(wrong).await.unwrap_err().code(), ErrorCode::InvalidField);
    }
}
