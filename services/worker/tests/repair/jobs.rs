//! Assignments made of networks and images at hand, and the stages of a job one after another.

use std::path::{Path, PathBuf};

use gifthorse_api::v1;
use gifthorse_defence::audit::audit_output_layer;
use gifthorse_network::Imported;
use gifthorse_network::surgery::output_layer;
use gifthorse_worker::Repair;
use gifthorse_worker::engine::{
    Assignment, Cancelled, DatasetInput, Engines as _, ModelInput, Outcome, Saved, Stage, TriggeredInput,
};
use serde_json::json;

/// A digest that stands for any.
const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A data set in its canonical form, one byte a level.
pub(crate) fn write_images(folder: &Path, images: &[&[u8]], [height, width]: [usize; 2], labels: &[i64]) {
    let array = |name: &str, kind: &str, shape: String, bytes: Vec<u8>| {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
        header.push_str(&" ".repeat(117 - header.len()));
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        file.extend(header.into_bytes());
        file.extend(bytes);
        std::fs::write(folder.join(name), file).unwrap();
    };
    let count = images.len();
    array("images.npy", "|u1", format!("{count}, {height}, {width}, 3"), images.concat());
    let labels = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
    array("labels.npy", "<i8", format!("{count},"), labels);
}

/// A data set as an assignment names it.
pub(crate) fn dataset(name: &str, folder: &Path) -> DatasetInput {
    let record = json!({
        "name": name, "content_id": "0123456789abcdef0123456789abcdef",
        "create_time": "2026-01-01T00:00:00Z", "request_id": null, "digest": DIGEST,
        "files": { "images.npy": { "size": 1, "sha256": DIGEST } },
        "contents": {
            "image_count": 1, "height": 1, "width": 1, "channels": 3, "pixel_type": "uint8",
            "labels": { "class_count": 1, "lowest": 0, "highest": 0 }, "group_count": null,
            "duplicate_count": 0, "source": "hdf5", "file_name": "faces.h5",
        },
    });
    DatasetInput { record: serde_json::from_value(record).unwrap(), folder: folder.to_owned() }
}

/// A network as an assignment names it, audited as at its import.
pub(crate) fn model(network: &Imported, preprocessing: &serde_json::Value, folder: &Path) -> ModelInput {
    let onnx = folder.join("suspect.onnx");
    std::fs::write(&onnx, &network.onnx).unwrap();
    let description = &network.description;
    let head = output_layer(&network.onnx, description).unwrap().unwrap();
    let audit = audit_output_layer(head.weights.view(), head.biases.view()).unwrap_or_default();
    let suspects = audit
        .iter()
        .filter(|class| class.is_suspect())
        .map(|class| json!({ "label": class.class, "weight_z": class.weight_z, "bias_z": class.bias_z }));
    let record = json!({
        "model": "suspect", "version": 1, "create_time": "2026-01-01T00:00:00Z", "request_id": null,
        "digest": DIGEST, "files": { "model.onnx": { "size": 1, "sha256": DIGEST } },
        "specification": {
            "preprocessing": preprocessing,
            "classes": { "count": description.classes, "names": [] },
            "tensors": {
                "input": description.input, "output": description.output, "logits": description.logits,
            },
            "layers": [], "parameter_count": 1,
            "provenance": {
                "source": "keras_weights", "file_name": "net.h5", "producer": "", "architecture": null,
                "softmax_appended": false, "parent": null, "pruning_job": null,
            },
            "suspect_classes": suspects.collect::<Vec<_>>(),
            "network": serde_json::to_value(description).unwrap(),
        },
    });
    ModelInput { record: serde_json::from_value(record).unwrap(), onnx }
}

/// A job of the method `invert`.
pub(crate) fn assignment(
    model: ModelInput,
    clean: DatasetInput,
    triggered: Vec<TriggeredInput>,
    unlearn: Option<DatasetInput>,
    (seed, parameters): (u64, &[(&str, f64)]),
    scratch: PathBuf,
) -> Assignment {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let specification = v1::PruningSpecification {
        model: "models/suspect/versions/1".to_owned(),
        clean_dataset: "datasets/clean".to_owned(),
        fine_tuning: v1::pruning_specification::FineTuning::Invert.into(),
        unlearn_dataset: unlearn.as_ref().map(|_| "datasets/alarms".to_owned()).unwrap_or_default(),
        seed,
        parameters,
        ..Default::default()
    };
    Assignment { job: "job-1".parse().unwrap(), specification, model, clean, triggered, unlearn, scratch }
}

/// Drives a job as the worker does; `put_down` takes it up again in a new engine after so many advances of the
/// tuning. Answers what came out, and the log.
pub(crate) fn drive(
    assignment: &Assignment,
    output: &Path,
    put_down: Option<usize>,
) -> (Outcome, Vec<String>) {
    let cancelled = Cancelled::default();
    let mut engine = Repair.open(assignment).unwrap();
    let mut log = Vec::new();
    let mut left = put_down;
    for stage in Stage::ALL {
        let mut extent = engine.enter(stage).unwrap();
        while extent.done < extent.total {
            let advance = engine.advance(&cancelled).unwrap();
            assert!(advance.done > extent.done, "{stage:?} stands still at {}", extent.done);
            extent.done = advance.done;
            log.extend(advance.log);
            if stage == Stage::FineTune && left.is_some() {
                left = left.map(|left| left - 1);
                if left == Some(0) {
                    left = None;
                    let saved = tempfile::tempdir().unwrap();
                    engine.save(saved.path()).unwrap();
                    engine = Repair.open(assignment).unwrap();
                    engine.enter(Stage::Load).unwrap();
                    engine.advance(&cancelled).unwrap();
                    let folder = saved.path().to_owned();
                    engine.restore(&Saved { stage, done: extent.done, folder }).unwrap();
                    assert_eq!(engine.enter(stage).unwrap().done, extent.done);
                }
            }
        }
    }
    (engine.finish(output).unwrap(), log)
}
