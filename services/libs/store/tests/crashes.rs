//! Writers that vanish at any point.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::future::{Future, poll_fn};
use std::task::Poll;

use bytes::Bytes;
use common::{
    assert_whole, begin, directory, file, import, name, promotion, request, specification, version,
};
use gifthorse_store::{ImportStart, Models, PageRequest, PromotionCondition, StoreError};

/// Lets the future wait this many times, then drops it, as a crash would.
async fn interrupted<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = waits;
    let outcome = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    });
    outcome.await
}

async fn import_requested(models: &Models, content: &str) {
    let requested = Some(request(content, content));
    let ImportStart::New(mut import) = models.begin_import(&name("lab3"), requested).await.unwrap() else {
        return;
    };
    import.put_bytes(file("model.onnx"), Bytes::from(format!("onnx of {content}"))).await.unwrap();
    import.put_bytes(file("source.h5"), Bytes::from(format!("keras of {content}"))).await.unwrap();
    import.commit(specification(content)).await.unwrap();
}

#[tokio::test]
async fn an_import_dropped_anywhere_is_invisible_or_whole() {
    let (_folder, store) = directory().await;
    let models = store.models();
    let (mut dropped, mut finished) = (0, false);
    while !finished {
        let content = format!("attempt-{dropped}");
        finished = interrupted(dropped, import_requested(&models, &content)).await.is_some();
        dropped += 1;
        assert!(dropped < 200, "an import does not wait so often");
    }
    assert!(dropped > 8, "the import was interrupted at {dropped} points only");
    let page = models.list_versions(&name("lab3"), &PageRequest::default()).await.unwrap();
    assert!(page.damaged.is_empty());
    for record in &page.items {
        assert_whole(&models, record).await;
    }
    // Every request can be repeated, whether it had crashed or not, and makes one version in all.
    for attempt in 0..dropped {
        import_requested(&models, &format!("attempt-{attempt}")).await;
    }
    let page = models.list_versions(&name("lab3"), &PageRequest::new(1000, "").unwrap()).await.unwrap();
    assert_eq!(page.items.len(), dropped);
    for record in &page.items {
        assert_whole(&models, record).await;
    }
}

#[tokio::test]
async fn a_dropped_import_is_swept_only_when_it_is_old() {
    let (folder, store) = directory().await;
    let models = store.models();
    let mut import = begin(&models, "lab3", None).await;
    import.put_bytes(file("model.onnx"), Bytes::from_static(b"half")).await.unwrap();
    drop(import);
    assert!(models.get(&name("lab3")).await.is_err());
    let report = store.sweep().await.unwrap();
    assert_eq!((report.removed.len(), report.under_way), (0, vec![(name("lab3"), version(1))]));
    assert!(folder.path().join("models/lab3/1/model.onnx").exists());

    let mut import = begin(&models, "lab3", None).await;
    import.put_bytes(file("model.onnx"), Bytes::from_static(b"half")).await.unwrap();
    import.abandon().await.unwrap();
    assert!(!folder.path().join("models/lab3/2/model.onnx").exists());
    assert_eq!(begin(&models, "lab3", None).await.version(), version(3));
}

#[tokio::test]
async fn a_deletion_dropped_anywhere_can_be_repeated() {
    let (_folder, store) = directory().await;
    let models = store.models();
    for waits in 0..40 {
        let model = name(&format!("model-{waits}"));
        for content in ["one", "two"] {
            import(&models, model.as_str(), content).await;
        }
        models.promote(&model, promotion(1, PromotionCondition::Always)).await.unwrap();
        let done = interrupted(waits, models.delete(&model)).await.is_some();
        // What is still seen is whole; what was interrupted can be finished.
        if let Ok(page) = models.list_versions(&model, &PageRequest::default()).await {
            assert!(!done, "a deleted model is still there");
            for record in &page.items {
                assert_whole(&models, record).await;
            }
            // A step of the interrupted deletion that had begun may end it meanwhile.
            let repeated = models.delete(&model).await;
            assert!(matches!(repeated, Ok(()) | Err(StoreError::ModelNotFound { .. })), "{repeated:?}");
        }
        assert!(models.get(&model).await.is_err());
        assert!(models.promoted(&model).await.unwrap().is_none());
        assert_eq!(import(&models, model.as_str(), "three").await.version, version(3));
        if done {
            return;
        }
    }
    panic!("a deletion does not wait so often");
}
