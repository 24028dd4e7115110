//! Names that try to leave their folder, in every rpc that takes one.

use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::ErrorCode::{InvalidField, InvalidName, ModelNotFound, NotBuilt};
use gifthorse_api::inference as protocol;
use gifthorse_api::inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use gifthorse_api::v1;
use gifthorse_api::v1::alarms_client::AlarmsClient;
use gifthorse_api::v1::datasets_client::DatasetsClient;
use gifthorse_api::v1::detection_client::DetectionClient;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::models_client::ModelsClient;
use gifthorse_api::v1::policies_client::PoliciesClient;
use gifthorse_api::v1::pruning_jobs_client::PruningJobsClient;

use crate::refusal::assert_refused;
use crate::uploads::{self, import};
use crate::vigil::{SOUND, Vigil, sound_input};
use crate::{networks, samples};

/// Names of which none may be used as a path.
const TRAVELLERS: [&str; 8] =
    ["../../x", "..", ".", "x/../../y", "/etc/passwd", "x\0y", "..\\..\\x", "%2e%2e%2fx"];

/// Calls an rpc with a name in one field of its request.
macro_rules! call {
    ($client:ident.$rpc:ident($request:ident { $field:ident: $name:expr $(, ..$rest:expr)? })) => {
        $client.$rpc(v1::$request { $field: $name.into() $(, ..$rest)? }).await
    };
}

/// Everything there is under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .filter(|path| path.extension().is_none_or(|ending| ending != "log"))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn of_models_and_data_sets() {
    let mut vigil = Vigil::start().await;
    let before = files(vigil.house.folder.path());
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let mut datasets = DatasetsClient::new(vigil.gateway.clone());
    for traveller in TRAVELLERS {
        let model = format!("models/{traveller}");
        for name in [
            traveller,
            &model,
            &format!("{model}/versions/1"),
            &format!("models/{SOUND}/versions/{traveller}"),
        ] {
            assert_refused(name, call!(models.get_model(GetModelRequest { name: name })), InvalidName, "");
            assert_refused(
                name,
                call!(models.get_model_version(GetModelVersionRequest { name: name })),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(
                    models
                        .list_model_versions(ListModelVersionsRequest { parent: name, ..Default::default() })
                ),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(
                    models
                        .export_model_version(ExportModelVersionRequest { name: name, ..Default::default() })
                ),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(
                    models.promote_model_version(PromoteModelVersionRequest {
                        name: name,
                        ..Default::default()
                    })
                ),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(models.delete_model(DeleteModelRequest { name: name })),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(models.delete_model_version(DeleteModelVersionRequest { name: name })),
                InvalidName,
                "",
            );
        }
        assert_refused(traveller, import(&vigil.gateway, traveller, networks::onnx()).await, InvalidName, "");
        for name in [traveller, &format!("datasets/{traveller}")] {
            assert_refused(
                name,
                call!(datasets.get_dataset(GetDatasetRequest { name: name })),
                InvalidName,
                "",
            );
            assert_refused(
                name,
                call!(datasets.delete_dataset(DeleteDatasetRequest { name: name })),
                InvalidName,
                "",
            );
            let upload = datasets.upload_dataset(uploads::dataset(name, samples::npz())).await;
            assert_refused(name, upload, InvalidName, "");
        }
    }
    vigil.assert_clean().await;
    assert_eq!(files(vigil.house.folder.path()), before);
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn of_the_guard_and_the_inference_protocol() {
    let mut vigil = Vigil::start().await;
    let mut guard = GuardClient::new(vigil.gateway.clone());
    let mut inference = GrpcInferenceServiceClient::new(vigil.gateway.clone());
    for traveller in TRAVELLERS {
        let name = traveller.to_owned();
        let model = format!("models/{traveller}");
        let request = v1::ClassifyRequest { model, input: Some(sound_input()), ..Default::default() };
        assert_refused(traveller, guard.classify(request.clone()).await, InvalidName, "");
        let item = v1::ClassifyStreamRequest { id: "1".to_owned(), request: Some(request) };
        let answers = guard.classify_stream(futures::stream::iter([item])).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let Some(v1::classify_stream_response::Outcome::Error(error)) = answer.outcome else {
            panic!("{traveller} must be refused");
        };
        assert_eq!(error.reason, "INVALID_NAME");

        // The protocol looks names up among those it serves; none of these is a path anywhere.
        let ready = protocol::ModelReadyRequest { name: name.clone(), version: String::new() };
        assert_refused(traveller, inference.model_ready(ready).await, ModelNotFound, "");
        let metadata = protocol::ModelMetadataRequest { name: name.clone(), version: String::new() };
        assert_refused(traveller, inference.model_metadata(metadata).await, ModelNotFound, "");
        let config = protocol::ModelConfigRequest { name: name.clone(), version: String::new() };
        assert_refused(traveller, inference.model_config(config).await, ModelNotFound, "");
        let statistics = protocol::ModelStatisticsRequest { name: name.clone(), version: String::new() };
        assert_refused(traveller, inference.model_statistics(statistics).await, ModelNotFound, "");
        let infer = protocol::ModelInferRequest { model_name: name.clone(), ..Default::default() };
        assert_refused(traveller, inference.model_infer(infer).await, ModelNotFound, "");
        let load = protocol::RepositoryModelLoadRequest { model_name: name.clone(), ..Default::default() };
        assert_refused(traveller, inference.repository_model_load(load).await, InvalidName, "");
        let unload = protocol::RepositoryModelUnloadRequest { model_name: name, ..Default::default() };
        assert_refused(traveller, inference.repository_model_unload(unload).await, InvalidName, "");
    }
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn of_detection_and_of_what_is_not_built_yet() {
    let mut vigil = Vigil::start().await;
    let traveller = "../../x";
    let mut models = ModelsClient::new(vigil.gateway.clone());
    let answer = call!(models.link_model(LinkModelRequest { model: traveller, ..Default::default() }));
    assert_refused("LinkModel", answer, InvalidName, "");
    let answer = call!(models.check_linked_model(CheckLinkedModelRequest { name: traveller }));
    assert_refused("CheckLinkedModel", answer, InvalidName, "");
    let mut detection = DetectionClient::new(vigil.gateway.clone());
    let answer = call!(detection.get_calibration(GetCalibrationRequest { name: traveller }));
    assert_refused("GetCalibration", answer, InvalidName, "");
    let answer = call!(detection.calibrate(CalibrateRequest { model: traveller, ..Default::default() }));
    assert_refused("Calibrate", answer, InvalidName, "");
    let answer = call!(detection.scan(ScanRequest { model: traveller, ..Default::default() }));
    assert_refused("Scan", answer, InvalidName, "");
    let mut policies = PoliciesClient::new(vigil.gateway.clone());
    let answer = call!(policies.get_policy(GetPolicyRequest { name: traveller }));
    assert_refused("GetPolicy", answer, InvalidField, "policies/NAME");
    let mut alarms = AlarmsClient::new(vigil.gateway.clone());
    let answer = call!(alarms.get_alarm(GetAlarmRequest { name: traveller }));
    assert_refused("GetAlarm", answer, NotBuilt, "Alarms/GetAlarm");
    let mut jobs = PruningJobsClient::new(vigil.gateway.clone());
    let answer = call!(jobs.get_pruning_job(GetPruningJobRequest { name: traveller }));
    assert_refused("GetPruningJob", answer, InvalidName, "");
    vigil.assert_unharmed().await;
}
