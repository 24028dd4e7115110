//! Guarded `ModelMetadata` and `ModelConfig`: serving's description with the outputs that are answered here.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::inference::model_metadata_response::TensorMetadata;
use gifthorse_api::inference::{
    ModelConfigRequest, ModelConfigResponse, ModelMetadataRequest, ModelMetadataResponse, ModelOutput,
};
use gifthorse_api::name::ModelName;
use gifthorse_api::status::status;
use gifthorse_service::request::Caller;
use tonic::Status;

use super::Protocol;
use super::outputs::Output;
use crate::directory::KnownVersion;

impl Protocol {
    /// Metadata of a guarded model.
    pub(super) async fn metadata(
        &self,
        name: &ModelName,
        caller: &Caller,
    ) -> Result<ModelMetadataResponse, Status> {
        self.directory
            .answered_by(name, caller, |version| async move {
                let (name, number) = (version.model.to_string(), version.version.to_string());
                let request = caller.request(ModelMetadataRequest { name, version: number });
                let answer = self.inference.client().model_metadata(request).await;
                let answer = answer.map_err(|failed| self.inference.serving().explain(failed))?;
                guarded_metadata(answer.into_inner(), &version)
            })
            .await
    }

    /// Configuration of a guarded model.
    pub(super) async fn config(
        &self,
        name: &ModelName,
        caller: &Caller,
    ) -> Result<ModelConfigResponse, Status> {
        self.directory
            .answered_by(name, caller, |version| async move {
                let (name, number) = (version.model.to_string(), version.version.to_string());
                let request = caller.request(ModelConfigRequest { name, version: number });
                let answer = self.inference.client().model_config(request).await;
                let answer = answer.map_err(|failed| self.inference.serving().explain(failed))?;
                guarded_config(answer.into_inner(), &version)
            })
            .await
    }
}

fn guarded_metadata(
    answer: ModelMetadataResponse,
    version: &KnownVersion,
) -> Result<ModelMetadataResponse, Status> {
    let main = answer.outputs.iter().find(|output| output.name == version.output);
    let batch = batch_axis(main.map(|main| main.shape.as_slice()), version)?;
    let outputs = Output::all(version).into_iter().map(|output| {
        let mut shape = vec![batch];
        shape.extend(output.row_shape(version));
        let datatype = output.datatype().to_owned();
        TensorMetadata { name: output.name(version).to_owned(), datatype, shape }
    });
    Ok(ModelMetadataResponse { outputs: outputs.collect(), ..answer })
}

/// A guarded model's configuration, without the batch axis where serving leaves it out.
fn guarded_config(
    mut answer: ModelConfigResponse,
    version: &KnownVersion,
) -> Result<ModelConfigResponse, Status> {
    let Some(config) = answer.config.as_mut() else { return Err(wrong(version)) };
    let main = config.output.iter().find(|output| output.name == version.output);
    let dims = main.map(|main| main.dims.as_slice());
    let batch = if config.max_batch_size > 0 { None } else { Some(batch_axis(dims, version)?) };
    let output = |output: Output| ModelOutput {
        name: output.name(version).to_owned(),
        data_type: output.data_type().into(),
        dims: batch.into_iter().chain(output.row_shape(version)).collect(),
        ..ModelOutput::default()
    };
    config.output = Output::all(version).into_iter().map(output).collect();
    Ok(answer)
}

/// The first axis of serving's main output `[N, M]`.
fn batch_axis(shape: Option<&[i64]>, version: &KnownVersion) -> Result<i64, Status> {
    match shape {
        Some([batch, _]) => Ok(*batch),
        _ => Err(wrong(version)),
    }
}

fn wrong(version: &KnownVersion) -> Status {
    let (name, output) = (version.resource_name(), &version.output);
    status(ErrorCode::Internal, &format!("serving describes {name} without its output {output:?} [N, M]"))
}

#[cfg(test)]
mod tests {
    use gifthorse_api::inference::ModelConfig;

    use super::super::rows::tests::version;
    use super::*;

    #[test]
    fn metadata_has_one_class_more_and_the_further_outputs() {
        let tensor = |name: &str, shape: &[i64]| TensorMetadata {
            name: name.to_owned(),
            datatype: "FP32".to_owned(),
            shape: shape.to_vec(),
        };
        let answer = ModelMetadataResponse {
            outputs: vec![tensor("features", &[-1, 64]), tensor("probabilities", &[-1, 3])],
            ..ModelMetadataResponse::default()
        };
        let guarded = guarded_metadata(answer, &version()).unwrap();
        let outputs: Vec<_> =
            guarded.outputs.iter().map(|o| (o.name.as_str(), o.datatype.as_str(), o.shape.clone())).collect();
        assert_eq!(
            outputs,
            [
                ("probabilities", "FP32", vec![-1, 4]),
                ("guard_verdict", "INT32", vec![-1]),
                ("guard_p_value", "FP64", vec![-1]),
                ("network_probabilities", "FP32", vec![-1, 3]),
            ]
        );
        assert!(guarded_metadata(ModelMetadataResponse::default(), &version()).is_err());
    }

    #[test]
    fn configurations_leave_the_batch_axis_out_as_serving_does() {
        let config = |max_batch_size: i32, dims: &[i64]| {
            let (name, dims) = ("probabilities".to_owned(), dims.to_vec());
            let output = vec![ModelOutput { name, dims, ..ModelOutput::default() }];
            let config = ModelConfig { max_batch_size, output, ..ModelConfig::default() };
            let answer = ModelConfigResponse { config: Some(config) };
            let outputs = guarded_config(answer, &version()).unwrap().config.unwrap().output;
            outputs.into_iter().map(|output| output.dims).collect::<Vec<_>>()
        };
        assert_eq!(config(32, &[3]), [vec![4], vec![], vec![], vec![3]]);
        assert_eq!(config(0, &[1, 3]), [vec![1, 4], vec![1], vec![1], vec![1, 3]]);
    }
}
