//! Calibrations of linked networks: of the network that was linked, or of none.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::calibrate_response::Content;
use gifthorse_tests::house::House;
use tonic::Status;

use super::pair::Pair;
use crate::detection::support::{calibrate, detection, entropy, own_labels, pictures, store};
use crate::support::calls::{assert_refused, import_plain, promote};
use crate::support::network::{Ending, Linear};

/// Clean images that a calibration takes no time for.
const FEW: usize = 60;
/// So many that the server can be given another network meanwhile.
const MANY: usize = 1000;

/// A linked network, the version that the server can hold in its place, and a request to calibrate the link.
struct Linked {
    pair: Pair,
    first: String,
    second: String,
    request: v1::CalibrateRequest,
}

impl Linked {
    async fn start(images: usize) -> Self {
        let mut pair = Pair::start().await;
        let network = Linear::new(1);
        let first = import_plain(&mut pair.theirs, "subject", &network.onnx(Ending::Softmax)).await;
        let linked = pair.link(pair.request()).await.unwrap();
        let second = import_plain(&mut pair.theirs, "subject", &Linear::new(2).onnx(Ending::Softmax)).await;
        let clean = pictures(0, images);
        let dataset = store(&pair.house, "clean", &clean, &own_labels(&network, &clean));
        // Nothing but the answers of the network counts for the entropy: it can be measured on any network.
        let request = v1::CalibrateRequest {
            model: linked.name,
            dataset,
            detectors: vec![entropy()],
            ..Default::default()
        };
        Self { pair, first, second, request }
    }

    /// A request for what no calibration was made for.
    fn other_request(&self) -> v1::CalibrateRequest {
        v1::CalibrateRequest { seed: 1, ..self.request.clone() }
    }
}

async fn stored(house: &House) -> Vec<String> {
    let request = v1::ListCalibrationsRequest::default();
    let listed = detection(house).await.list_calibrations(request).await.unwrap().into_inner();
    listed.calibrations.into_iter().map(|calibration| calibration.name).collect()
}

#[tokio::test]
async fn another_network_at_the_server_is_not_calibrated() {
    let mut linked = Linked::start(FEW).await;
    let made = calibrate(&linked.pair.house, linked.request.clone()).await.unwrap();
    promote(&mut linked.pair.theirs, &linked.second).await.unwrap();

    // Calibrating is the first to ask: until then nothing has noticed.
    let refused = calibrate(&linked.pair.house, linked.other_request()).await;
    let refused = assert_refused(refused, ErrorCode::LinkedModelChanged, "link it again");
    assert!(refused.message().contains(&linked.pair.server.grpc.to_string()), "{}", refused.message());
    let refused = calibrate(&linked.pair.house, linked.request.clone()).await;
    assert_refused(refused, ErrorCode::LinkedModelChanged, "link it again");
    assert_eq!(stored(&linked.pair.house).await, std::slice::from_ref(&made.name), "nothing is kept of it");

    promote(&mut linked.pair.theirs, &linked.first).await.unwrap();
    assert_eq!(calibrate(&linked.pair.house, linked.request.clone()).await.unwrap(), made);
}

#[tokio::test]
async fn a_network_that_changes_while_it_is_measured_is_not_calibrated() {
    let mut linked = Linked::start(MANY).await;
    let mut client = detection(&linked.pair.house).await;
    let mut answers = client.calibrate(linked.request.clone()).await.unwrap().into_inner();
    let outcome: Result<v1::Calibration, Status> = loop {
        match answers.message().await {
            Ok(Some(v1::CalibrateResponse { content: Some(Content::Progress(progress)) })) => {
                if progress.done > 0 {
                    promote(&mut linked.pair.theirs, &linked.second).await.unwrap();
                }
            }
            Ok(Some(v1::CalibrateResponse { content: Some(Content::Calibration(made)) })) => break Ok(made),
            Ok(_) => panic!("the stream ended without an outcome"),
            Err(refused) => break Err(refused),
        }
    };
    assert_refused(outcome, ErrorCode::LinkedModelChanged, "link it again");
    assert_eq!(stored(&linked.pair.house).await, [""; 0], "nothing is kept");
}

#[tokio::test]
async fn a_server_out_of_reach_is_not_calibrated() {
    let mut linked = Linked::start(FEW).await;
    calibrate(&linked.pair.house, linked.request.clone()).await.unwrap();
    linked.pair.kill_server();
    let address = linked.pair.server.grpc.to_string();
    for request in [linked.request.clone(), linked.other_request()] {
        let refused = calibrate(&linked.pair.house, request).await;
        assert_refused(refused, ErrorCode::ServiceUnavailable, &address);
    }
    linked.pair.house.serving.signal("KILL");
    linked.pair.house.serving.wait();
    let refused = calibrate(&linked.pair.house, linked.request.clone()).await;
    assert_refused(refused, ErrorCode::ServiceUnavailable, "the serving service");
}
