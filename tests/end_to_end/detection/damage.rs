//! Calibrations that were changed by hand, or that are in use.

use std::path::{Path, PathBuf};

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_tests::house::House;

use super::support::{calibrate, detection, entropy, scan_request, set, single, small_house};
use crate::support::calls::assert_refused;

fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                return path;
            }
        }
    }
    panic!("no {name} below {}", folder.display())
}

async fn calibrated() -> (House, v1::Calibration) {
    let (house, dataset) = small_house(60).await;
    let request = v1::CalibrateRequest {
        model: "models/model".to_owned(),
        dataset,
        detectors: vec![entropy()],
        ..Default::default()
    };
    let calibration = calibrate(&house, request).await.unwrap();
    (house, calibration)
}

#[tokio::test]
async fn scores_edited_by_hand_are_noticed() {
    let (house, calibration) = calibrated().await;
    let path = find(&house.folder.path().join("data/calibrations"), "scores.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replacen("\"calibration\":[", "\"calibration\":[9.5,", 1);
    assert_ne!(edited, text);
    std::fs::write(&path, edited).unwrap();
    let scanned = detection(&house).await.scan(scan_request(&calibration.name, 500, true)).await;
    assert_refused(scanned, ErrorCode::DigestMismatch, "scores.json");
}

#[tokio::test]
async fn a_bank_edited_by_hand_is_noticed() {
    let (house, calibration) = calibrated().await;
    let path = find(&house.folder.path().join("data/calibrations"), "bank.f32");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let scanned = detection(&house).await.scan(scan_request(&calibration.name, 500, true)).await;
    assert_refused(scanned, ErrorCode::DigestMismatch, "bank.f32");
}

#[tokio::test]
async fn a_calibration_in_use_is_kept() {
    let (house, calibration) = calibrated().await;
    set(&house, single("model", "strip_entropy", &calibration.name, 0.05)).await.unwrap();
    let delete = v1::DeleteCalibrationRequest { name: calibration.name.clone() };
    let mut client = detection(&house).await;
    let refused = client.delete_calibration(delete.clone()).await;
    assert_refused(refused, ErrorCode::InUse, "policies/model/versions/1");
    let name = "policies/model".to_owned();
    super::support::policies(&house).await.clear_policy(v1::ClearPolicyRequest { name }).await.unwrap();
    client.delete_calibration(delete).await.unwrap();
    let gone = client.scan(scan_request(&calibration.name, 500, true)).await;
    assert_refused(gone, ErrorCode::ResourceNotFound, "calibrations/");
}
