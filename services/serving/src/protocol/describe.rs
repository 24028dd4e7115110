//! `ModelMetadata`, `ModelConfig` and `ModelStatistics`: what a version says of itself.

use std::time::UNIX_EPOCH;

use gifthorse_api::inference::model_config::SchedulingChoice;
use gifthorse_api::inference::model_metadata_response::TensorMetadata;
use gifthorse_api::inference::{
    DataType, InferBatchStatistics, InferResponseStatistics, InferStatistics, ModelConfig,
    ModelDynamicBatching, ModelInput, ModelInstanceGroup, ModelMetadataResponse, ModelOutput,
    ModelStatistics, StatisticDuration, model_input, model_instance_group,
};
use gifthorse_api::name::Version;
use gifthorse_dataset::preprocessing::Layout;
use gifthorse_engine::{Datatype, Provider, TensorSpec, Timing};

use crate::configuration::BatchingConfiguration;
use crate::repository::{Runner, Served};

/// The platform name under which load generators know ONNX Runtime.
const PLATFORM: &str = "onnxruntime_onnx";
/// The platform and backend of networks that foreign servers hold.
const LINKED: &str = "linked";

/// Metadata of a version; `versions` are those that are served beside it.
pub(super) fn metadata(served: &Served, versions: &[Version]) -> ModelMetadataResponse {
    ModelMetadataResponse {
        name: served.name.to_string(),
        versions: versions.iter().map(ToString::to_string).collect(),
        platform: platform(served).to_owned(),
        inputs: served.runner.inputs().iter().map(tensor_metadata).collect(),
        outputs: served.runner.outputs().iter().map(tensor_metadata).collect(),
    }
}

const fn platform(served: &Served) -> &'static str {
    match served.runner {
        Runner::Engine(_) => PLATFORM,
        Runner::Linked(_) => LINKED,
    }
}

fn tensor_metadata(spec: &TensorSpec) -> TensorMetadata {
    TensorMetadata {
        name: spec.name.clone(),
        datatype: spec.datatype.as_str().to_owned(),
        shape: spec.shape.iter().map(|axis| axis.map_or(-1, |axis| axis as i64)).collect(),
    }
}

/// Configuration of a version in Triton's form: shapes without the batch axis where the model batches.
pub(super) fn configuration(served: &Served, batching: &BatchingConfiguration) -> ModelConfig {
    let rows = served.runner.max_batch_rows();
    let dims = |spec: &TensorSpec| {
        let skip = usize::from(rows.is_some());
        spec.shape.iter().skip(skip).map(|axis| axis.map_or(-1, |axis| axis as i64)).collect::<Vec<_>>()
    };
    let format = match served.record.specification.preprocessing.layout() {
        Layout::Nhwc => model_input::Format::Nhwc,
        Layout::Nchw => model_input::Format::Nchw,
    };
    let provider = match &served.runner {
        Runner::Engine(model) => Some(model.provider()),
        Runner::Linked(_) => None,
    };
    let (kind, gpus) = match provider {
        Some(Provider::Cpu { .. }) => (model_instance_group::Kind::Cpu, Vec::new()),
        Some(Provider::Cuda { device }) => (model_instance_group::Kind::Gpu, vec![*device as i32]),
        None => (model_instance_group::Kind::Auto, Vec::new()),
    };
    let (backend, file) = if provider.is_some() { ("onnxruntime", "model.onnx") } else { (LINKED, "") };
    ModelConfig {
        name: served.name.to_string(),
        platform: platform(served).to_owned(),
        backend: backend.to_owned(),
        max_batch_size: rows.map_or(0, |rows| rows as i32),
        input: served
            .runner
            .inputs()
            .iter()
            .map(|spec| ModelInput {
                name: spec.name.clone(),
                data_type: data_type(spec.datatype).into(),
                format: format.into(),
                dims: dims(spec),
                ..ModelInput::default()
            })
            .collect(),
        output: served
            .runner
            .outputs()
            .iter()
            .map(|spec| ModelOutput {
                name: spec.name.clone(),
                data_type: data_type(spec.datatype).into(),
                dims: dims(spec),
                ..ModelOutput::default()
            })
            .collect(),
        instance_group: vec![ModelInstanceGroup {
            name: served.name.to_string(),
            count: batching.instances.get() as i32,
            kind: kind.into(),
            gpus,
            ..ModelInstanceGroup::default()
        }],
        default_model_filename: file.to_owned(),
        scheduling_choice: rows.map(|_| {
            SchedulingChoice::DynamicBatching(ModelDynamicBatching {
                max_queue_delay_microseconds: batching.max_delay.as_micros() as u64,
                preserve_ordering: false,
                ..ModelDynamicBatching::default()
            })
        }),
        ..ModelConfig::default()
    }
}

const fn data_type(datatype: Datatype) -> DataType {
    match datatype {
        Datatype::Bool => DataType::TypeBool,
        Datatype::Uint8 => DataType::TypeUint8,
        Datatype::Uint16 => DataType::TypeUint16,
        Datatype::Uint32 => DataType::TypeUint32,
        Datatype::Uint64 => DataType::TypeUint64,
        Datatype::Int8 => DataType::TypeInt8,
        Datatype::Int16 => DataType::TypeInt16,
        Datatype::Int32 => DataType::TypeInt32,
        Datatype::Int64 => DataType::TypeInt64,
        Datatype::Fp16 => DataType::TypeFp16,
        Datatype::Fp32 => DataType::TypeFp32,
        Datatype::Fp64 => DataType::TypeFp64,
        Datatype::Bf16 => DataType::TypeBf16,
    }
}

/// Statistics of a version since it was loaded.
pub(super) fn statistics(served: &Served) -> ModelStatistics {
    let counted = served.runner.statistics();
    let since_epoch = counted.last_inference.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let cancelled = Timing { count: counted.cancelled + counted.expired, ns: 0 };
    ModelStatistics {
        name: served.name.to_string(),
        version: served.version.to_string(),
        last_inference: since_epoch.map_or(0, |time| time.as_millis() as u64),
        inference_count: counted.rows,
        execution_count: counted.executions,
        inference_stats: Some(InferStatistics {
            success: Some(duration(counted.success)),
            fail: Some(duration(counted.failure)),
            queue: Some(duration(counted.queue)),
            compute_input: Some(duration(counted.compute_input)),
            compute_infer: Some(duration(counted.compute_infer)),
            compute_output: Some(duration(counted.compute_output)),
            cache_hit: Some(StatisticDuration::default()),
            cache_miss: Some(StatisticDuration::default()),
        }),
        batch_stats: counted
            .batches
            .iter()
            .map(|(rows, batch)| InferBatchStatistics {
                batch_size: *rows,
                compute_input: Some(duration(batch.compute_input)),
                compute_infer: Some(duration(batch.compute_infer)),
                compute_output: Some(duration(batch.compute_output)),
            })
            .collect(),
        response_stats: [(
            "0".to_owned(),
            InferResponseStatistics {
                compute_infer: Some(duration(counted.compute_infer)),
                compute_output: Some(duration(counted.compute_output)),
                success: Some(duration(counted.success)),
                fail: Some(duration(counted.failure)),
                empty_response: Some(StatisticDuration::default()),
                cancel: Some(duration(cancelled)),
            },
        )]
        .into(),
        ..ModelStatistics::default()
    }
}

const fn duration(timing: Timing) -> StatisticDuration {
    StatisticDuration { count: timing.count, ns: timing.ns }
}
