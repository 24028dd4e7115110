//! An imported network as a graph that libtorch runs.

mod compile;
mod forward;
mod parameter;
mod prepare;
mod role;
mod write;

use gifthorse_network::NetworkDescription;
use gifthorse_network::onnx::messages::ModelProto;
use gifthorse_network::onnx::{Limits, decode};
use gifthorse_network::surgery::expose_logits;
use ndarray::{Array2, ArrayD, ArrayViewD, Ix2};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::array;
use crate::device::{Device, Precision};
use crate::error::{At as _, TrainingError};
use crate::operators::Pass;
use compile::Step;
pub(crate) use parameter::Parameter;
pub use parameter::ParameterSummary;
pub use role::Role;

/// How a network is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkOptions {
    /// Where.
    pub device: Device,
    /// How exactly.
    pub precision: Precision,
    /// Whether pictures and kernels lie channels last in memory, whatever their axes are called: up to
    /// twice as fast on a processor. Results differ in the last bits.
    pub channels_last: bool,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self { device: Device::Cpu, precision: Precision::Single, channels_last: true }
    }
}

/// A network that can be run, trained and written again.
///
/// It runs from the image to the **logits**: the softmax that an imported network ends in is kept in the file
/// and left out here.
#[derive(Debug)]
pub struct Network {
    /// The whole file, with every trained tensor an initializer of its own.
    model: ModelProto,
    description: NetworkDescription,
    options: NetworkOptions,
    torch: (tch::Kind, tch::Device),
    parameters: Vec<Parameter>,
    steps: Vec<Step>,
    /// The step that makes the logits.
    logits: usize,
}

impl Network {
    /// Reads `model.onnx` of an imported version.
    ///
    /// # Errors
    /// [`TrainingError::UnsupportedOperators`] naming every node that cannot be run with gradients;
    /// [`TrainingError::Surgery`] when the file is not the described network; [`TrainingError::Device`].
    pub fn load(
        onnx: &[u8],
        description: &NetworkDescription,
        options: NetworkOptions,
    ) -> Result<Self, TrainingError> {
        let model = prepare::prepare(decode(onnx, &Limits::default())?);
        let to_logits = decode(&expose_logits(&model.encode_to_vec(), description)?, &Limits::default())?;
        let torch = (options.precision.kind(), options.device.torch()?);
        let compiled = compile::compile(&to_logits, description, torch, options.channels_last)?;
        Ok(Self {
            model,
            description: description.clone(),
            options,
            torch,
            parameters: compiled.parameters,
            steps: compiled.steps,
            logits: compiled.logits,
        })
    }

    /// What the network is.
    pub const fn description(&self) -> &NetworkDescription {
        &self.description
    }

    /// How it is run.
    pub const fn options(&self) -> NetworkOptions {
        self.options
    }

    /// The stored tensors on the way from the image to the logits, in the order of the file.
    pub fn parameters(&self) -> Vec<ParameterSummary> {
        self.parameters.iter().filter_map(Parameter::summary).collect()
    }

    /// Holds the tensors for which `frozen` answers true as they are; all others are trained as their roles
    /// say. Stored statistics are a matter of [`Mode`](crate::Mode), not of this.
    ///
    /// # Errors
    /// [`TrainingError::Torch`].
    pub fn freeze(&mut self, frozen: impl Fn(&ParameterSummary) -> bool) -> Result<(), TrainingError> {
        for parameter in &mut self.parameters {
            parameter.frozen = parameter.summary().is_some_and(|summary| frozen(&summary));
            let trained = parameter.is_trained();
            if let Some(tensor) = parameter.tensor() {
                // The handle that comes back is of the same tensor.
                let _ = tensor.f_set_requires_grad(trained).at(&parameter.name)?;
            }
        }
        Ok(())
    }

    /// The numbers of a stored tensor.
    ///
    /// # Errors
    /// [`TrainingError::NoSuchTensor`].
    pub fn weight(&self, name: &str) -> Result<ArrayD<f32>, TrainingError> {
        array::to_array(self.tensor(name)?).at("reading a weight")
    }

    /// Puts other numbers into a stored tensor.
    ///
    /// # Errors
    /// [`TrainingError::NoSuchTensor`], and [`TrainingError::Shape`] when the shape is another one.
    pub fn set_weight(&mut self, name: &str, values: ArrayViewD<'_, f32>) -> Result<(), TrainingError> {
        let tensor = self.tensor(name)?;
        let expected: Vec<usize> = tensor.size().iter().map(|size| *size as usize).collect();
        if expected != values.shape() {
            let (what, found) = ("the new weight", values.shape().to_vec());
            return Err(TrainingError::Shape { what, found, expected: format!("{expected:?}") });
        }
        let place = "writing a weight";
        let values = array::to_tensor(&values, self.torch).at(place)?;
        let _no_gradients = tch::no_grad_guard();
        tensor.shallow_clone().f_copy_(&values).at(place)
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, TrainingError> {
        let found = self.parameters.iter().find(|parameter| parameter.name == name);
        let missing = || TrainingError::NoSuchTensor { what: "weight", name: name.to_owned() };
        found.and_then(Parameter::tensor).ok_or_else(missing)
    }

    /// The logits `[N, M]` of images `[N, H, W, C]` or `[N, C, H, W]`, as the network answers in service.
    ///
    /// # Errors
    /// [`TrainingError::Shape`] when the images are not of the network's size.
    pub fn logits(&self, images: ArrayViewD<'_, f32>) -> Result<Array2<f32>, TrainingError> {
        let _no_gradients = tch::no_grad_guard();
        let logits = self.run(&self.images(&images)?, &Pass::serving())?;
        let logits = array::to_array(&logits).at("reading the logits")?;
        let found = logits.shape().to_vec();
        let expected = || format!("[N, {}]", self.description.classes);
        logits.into_dimensionality::<Ix2>().map_err(|_| TrainingError::Shape {
            what: "the logits",
            found,
            expected: expected(),
        })
    }

    /// The tensors that training changes, in the order of the file.
    pub(crate) fn trained(&self) -> impl Iterator<Item = (&Parameter, &Tensor)> {
        let trained = self.parameters.iter().filter(|parameter| parameter.is_trained());
        trained.filter_map(|parameter| parameter.tensor().map(|tensor| (parameter, tensor)))
    }

    /// The tensors that make the network what it is, in the order of the file.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (&Parameter, &Tensor)> {
        self.parameters.iter().filter_map(|parameter| parameter.tensor().map(|tensor| (parameter, tensor)))
    }

    /// Kind and device of all tensors.
    pub(crate) const fn torch(&self) -> (tch::Kind, tch::Device) {
        self.torch
    }
}
