//! Opening a model file in ONNX Runtime: provider, threads, signature, warm-up.

use std::time::{Duration, Instant};

use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};
use ort::value::{Outlet, ValueType};

use crate::error::EngineError;
use crate::network::{InputBlock, Network, OutputBuffer};
use crate::opening::{Facts, Opened};
use crate::options::{Execution, ModelOptions, Provider};
use crate::signature::Signature;
use crate::tensor::TensorSpec;
use crate::values::{append_output, datatype_of, input_value};

/// Opens the file, on the GPU if that is asked for and can be had, and warms it up.
pub(crate) fn open(
    environment: &Environment,
    onnx: &[u8],
    options: &ModelOptions,
) -> Result<Opened, EngineError> {
    let (session, provider) = open_session(environment, onnx, options)?;
    let inputs = specs(&options.name, "input", session.inputs())?;
    let outputs = specs(&options.name, "output", session.outputs())?;
    let mut network = OnnxNetwork(session);
    let rows_in = inputs.iter().all(|input| input.shape.first() == Some(&None));
    let rows_out = outputs.iter().all(|output| output.shape.first() == Some(&None));
    let mut signature =
        Signature { model: options.name.clone(), inputs, outputs, batching: rows_in && rows_out };
    if options.warm_up && has_known_rows(&signature) {
        let follow = warm_up(&mut network, &signature, rows_in, options.max_batch_rows.get())?;
        // What the network does counts for more than what its file declares.
        signature.batching = rows_in && follow;
    }
    if signature.batching {
        for output in &mut signature.outputs {
            if let Some(rows) = output.shape.first_mut() {
                *rows = None;
            }
        }
    }
    Ok(Opened { network: Box::new(network), facts: Facts { signature, provider } })
}

/// A session as the owner thread runs it.
struct OnnxNetwork(Session);

impl Network for OnnxNetwork {
    fn run(&mut self, inputs: &[InputBlock<'_>], outputs: &mut [OutputBuffer]) -> Result<Duration, String> {
        let values = inputs.iter().map(input_value).collect::<Result<Vec<_>, _>>()?;
        let started = Instant::now();
        let results = self.0.run(values.as_slice()).map_err(|error| error.to_string())?;
        let took = started.elapsed();
        for (value, buffer) in results.values().zip(outputs).filter(|(_, buffer)| buffer.wanted) {
            append_output(&value, buffer)?;
        }
        Ok(took)
    }
}

/// Why a session could not be made.
enum Fault {
    /// The provider is not to be had.
    Provider(String),
    /// The file is at fault.
    #[cfg_attr(
        not(feature = "cuda"),
        expect(dead_code, reason = "only a GPU session is tried before another")
    )]
    Model(ort::Error),
}

fn open_session(
    environment: &Environment,
    onnx: &[u8],
    options: &ModelOptions,
) -> Result<(Session, Provider), EngineError> {
    let invalid = |error: ort::Error| EngineError::ModelInvalid {
        model: options.name.clone(),
        reason: error.to_string(),
    };
    let instead_of_cuda = match options.execution {
        Execution::Cpu => None,
        Execution::Cuda { device, required } => match open_cuda(environment, onnx, options, device) {
            Ok(session) => return Ok((session, Provider::Cuda { device })),
            Err(Fault::Model(error)) => return Err(invalid(error)),
            Err(Fault::Provider(reason)) if required => {
                let provider = Provider::Cuda { device }.to_string();
                return Err(EngineError::ExecutionProviderMissing { provider, reason });
            }
            Err(Fault::Provider(reason)) => {
                tracing::warn!(model = options.name, device, reason, "no CUDA, the model runs on the CPU");
                Some(reason)
            }
        },
    };
    let session = builder(environment, options)
        .and_then(|builder| Ok(builder.with_auto_device(AutoDevicePolicy::PreferCPU)?))
        .and_then(|mut builder| builder.commit_from_memory(onnx))
        .map_err(invalid)?;
    Ok((session, Provider::Cpu { instead_of_cuda }))
}

fn builder(environment: &Environment, options: &ModelOptions) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(environment)?.with_log_id(&options.name)?;
    let Some(threads) = options.threads else { return Ok(builder) };
    let builder = builder.with_independent_thread_pool()?.with_intra_threads(threads.get())?;
    Ok(builder.with_intra_op_spinning(false)?.with_inter_op_spinning(false)?)
}

#[cfg(feature = "cuda")]
fn open_cuda(
    environment: &Environment,
    onnx: &[u8],
    options: &ModelOptions,
    device: u32,
) -> Result<Session, Fault> {
    use ort::ErrorCode;
    use ort::ep::CUDA;
    use ort::ep::cuda::ConvAlgorithmSearch;

    // Batches come in every size, and the exhaustive search would start anew for each.
    let provider = CUDA::default()
        .with_device_id(i32::try_from(device).unwrap_or(i32::MAX))
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build()
        .error_on_failure();
    let mut builder = builder(environment, options)
        .and_then(|builder| Ok(builder.with_execution_providers([provider])?))
        .map_err(|error| Fault::Provider(error.to_string()))?;
    builder.commit_from_memory(onnx).map_err(|error| match error.code() {
        ErrorCode::NoModel
        | ErrorCode::InvalidProtobuf
        | ErrorCode::InvalidGraph
        | ErrorCode::InvalidArgument
        | ErrorCode::NotImplemented => Fault::Model(error),
        _ => Fault::Provider(error.to_string()),
    })
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: &Environment, _: &[u8], _: &ModelOptions, _: u32) -> Result<Session, Fault> {
    Err(Fault::Provider("this program was built without the feature `cuda`".to_owned()))
}

fn specs(model: &str, side: &'static str, outlets: &[Outlet]) -> Result<Vec<TensorSpec>, EngineError> {
    let specs = outlets.iter().map(|outlet| {
        let unsupported = || EngineError::ModelUnsupported {
            model: model.to_owned(),
            side,
            name: outlet.name().to_owned(),
            found: outlet.dtype().to_string(),
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else { return Err(unsupported()) };
        Ok(TensorSpec {
            name: outlet.name().to_owned(),
            datatype: datatype_of(*ty).ok_or_else(unsupported)?,
            // Free axes are written as -1.
            shape: shape.iter().map(|length| u64::try_from(*length).ok()).collect(),
        })
    });
    specs.collect()
}

/// Whether rows of zeros can be made: no axis but the first is free.
fn has_known_rows(signature: &Signature) -> bool {
    signature.inputs.iter().all(|input| input.shape.iter().skip(1).all(Option::is_some))
}

/// Runs one row and a full batch of zeros and tells whether all outputs had as many rows as went in.
fn warm_up(
    network: &mut dyn Network,
    signature: &Signature,
    rows_in: bool,
    max_batch_rows: usize,
) -> Result<bool, EngineError> {
    let mut follow = true;
    for rows in [1, max_batch_rows] {
        let shapes = signature.inputs.iter().map(|input| {
            let axes = input.shape.iter().map(|length| length.unwrap_or(rows as u64));
            axes.collect::<Vec<_>>()
        });
        let shapes: Vec<_> = shapes.collect();
        let zeros: Vec<Vec<u64>> = shapes
            .iter()
            .zip(&signature.inputs)
            .map(|(shape, input)| {
                let bytes = shape.iter().product::<u64>() as usize * input.datatype.size();
                vec![0; bytes.div_ceil(size_of::<u64>())]
            })
            .collect();
        let blocks = signature.inputs.iter().zip(&shapes).zip(&zeros).map(|((input, shape), zeros)| {
            let bytes = shape.iter().product::<u64>() as usize * input.datatype.size();
            let bytes = &bytemuck::cast_slice(zeros)[..bytes];
            InputBlock { datatype: input.datatype, shape, bytes }
        });
        let mut outputs: Vec<_> = signature
            .outputs
            .iter()
            .map(|output| OutputBuffer {
                datatype: output.datatype,
                wanted: true,
                shape: Vec::new(),
                data: Vec::new(),
            })
            .collect();
        let blocks: Vec<_> = blocks.collect();
        network.run(&blocks, &mut outputs).map_err(|reason| EngineError::WarmUp {
            model: signature.model.clone(),
            rows,
            reason,
        })?;
        follow &= outputs.iter().all(|output| output.shape.first() == Some(&(rows as u64)));
        if !rows_in {
            break;
        }
    }
    Ok(follow)
}
