//! Which version answers, changed while requests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_tests::house::{House, connect};

use crate::support::calls::{
    Protocol, assert_close, assert_refused, classify, floats, import, import_plain, infer_request, picture,
    probabilities, promote, specification,
};
use crate::support::network::{Ending, Linear};
use crate::support::pictures::{levels, png, prepared};

/// How often the promotion changes while requests run.
const CHANGES: usize = 30;

/// Two versions that take other pixels (one divides by 255, one does not) and are never loaded together
/// for long: a promotion loads one and unloads the other.
async fn two_versions(house: &House) -> [Vec<f64>; 2] {
    let mut models = house.models().await;
    let networks = [1, 2].map(Linear::new);
    for (network, scale) in networks.iter().zip([255.0, 64.0]) {
        let preprocessing = Some(v1::Preprocessing { scale, ..Default::default() });
        let asked = v1::ImportModelSpecification { preprocessing, ..specification("faces") };
        import(&mut models, asked, &network.onnx(Ending::Softmax)).await.unwrap();
    }
    // A third one, never promoted, takes the only place of the newest.
    import_plain(&mut models, "faces", &Linear::new(3).onnx(Ending::Softmax)).await;
    [networks[0].answers(&prepared(&levels(1), 255.0)), networks[1].answers(&prepared(&levels(1), 64.0))]
}

async fn change_promotions(house: &House) {
    let mut models = house.models().await;
    for change in 0..CHANGES {
        let version = format!("models/faces/versions/{}", 2 - change % 2);
        let model = promote(&mut models, &version).await.unwrap();
        assert_eq!(model.promoted_version, version);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn classify_never_fails_while_promotions_change() {
    let house = House::start_with(&[("serving", "repository.newest_versions", "1")]).await;
    let expected = Arc::new(two_versions(&house).await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, expected, answered) =
                (Arc::clone(&stop), Arc::clone(&expected), Arc::clone(&answered));
            let guard = house.guard();
            async move {
                let mut guard = guard.await;
                while !stop.load(Ordering::Relaxed) {
                    let answer =
                        classify(&mut guard, picture("models/faces", png(&levels(1)))).await.unwrap();
                    // Network and preprocessing are always of the same version.
                    let version = usize::from(answer.model_version.ends_with('2'));
                    assert_close(&probabilities(&answer), &expected[version]);
                    answered[version].fetch_add(1, Ordering::Relaxed);
                }
            }
        })
        .collect();
    let changing = async {
        change_promotions(&house).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(futures::future::join_all(callers), changing);
    assert!(answered.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_never_fails_while_promotions_change() {
    let house = House::start_with(&[("serving", "repository.newest_versions", "1")]).await;
    let expected = Arc::new(two_versions(&house).await);
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, expected) = (Arc::clone(&stop), Arc::clone(&expected));
            let channel = connect(&house.serving);
            async move {
                let mut protocol = Protocol::new(channel.await);
                let scales = [255.0, 64.0].map(|scale| prepared(&levels(1), scale));
                while !stop.load(Ordering::Relaxed) {
                    let request = infer_request("faces", "", "pixels", &scales[0]);
                    let answer = protocol.model_infer(request).await.unwrap().into_inner();
                    if answer.model_version == "1" {
                        let found = floats(&answer.raw_output_contents[0]);
                        let found: Vec<f64> = found.into_iter().map(f64::from).collect();
                        assert_close(&found, &expected[0]);
                    }
                }
            }
        })
        .collect();
    let changing = async {
        change_promotions(&house).await;
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(futures::future::join_all(callers), changing);
}

#[tokio::test]
async fn a_promotion_holds_the_etag_it_was_decided_on() {
    let house = House::start().await;
    let mut models = house.models().await;
    let file = Linear::new(1).onnx(Ending::Softmax);
    import_plain(&mut models, "faces", &file).await;
    let second = import_plain(&mut models, "faces", &file).await;
    let seen =
        models.get_model(v1::GetModelRequest { name: "models/faces".to_owned() }).await.unwrap().into_inner();
    let conditional = |etag: &str| v1::PromoteModelVersionRequest {
        name: second.clone(),
        etag: etag.to_owned(),
        keep_suspect: true,
    };
    let promoted = models.promote_model_version(conditional(&seen.etag)).await.unwrap().into_inner();
    assert_eq!(promoted.promoted_version, second);
    assert_eq!(promoted.suspect_version, "models/faces/versions/1");
    assert_ne!(promoted.etag, seen.etag);
    let stale = models.promote_model_version(conditional(&seen.etag)).await;
    assert_refused(stale, ErrorCode::EtagMismatch, &seen.etag);
    assert_refused(models.promote_model_version(conditional("x")).await, ErrorCode::InvalidField, "etag");
    let missing = promote(&mut models, "models/faces/versions/7").await;
    assert_refused(missing, ErrorCode::ModelVersionNotFound, "7");
    let whole = promote(&mut models, "models/faces").await;
    assert_refused(whole, ErrorCode::InvalidField, "names no version");
}
