//! The layer whose weights stand for the classes.

use ndarray::{Array1, Array2, ArrayD, Ix2};

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use crate::NetworkDescription;
use crate::onnx::initializers::read_f32;
use crate::onnx::messages::NodeProto;

/// The last linear layer: `logits = features * weights + biases`, averaged over places where it is a
/// convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputLayer {
    /// `[F, M]`: a column a class. Of a convolution the features are its channels and places.
    pub weights: Array2<f32>,
    /// `[M]`; zeros where the layer has none.
    pub biases: Array1<f32>,
    /// Names of the constants that hold them, the weights first.
    pub tensors: Vec<String>,
}

/// Finds the output layer; none when the logits are made in another way, as by a sum of two layers.
///
/// # Errors
/// When the file is not the described network.
pub fn output_layer(
    onnx: &[u8],
    description: &NetworkDescription,
) -> Result<Option<OutputLayer>, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    Ok(Head::of(&anatomy).and_then(|head| head.read(&anatomy)))
}

/// The node of the output layer.
pub(super) fn node<'a>(anatomy: &Anatomy<'a>) -> Option<&'a NodeProto> {
    Head::of(anatomy).map(|head| head.node)
}

/// The output layer before its weights are read.
struct Head<'a> {
    node: &'a NodeProto,
    /// Constants that are added to what the node makes.
    added: Vec<&'a str>,
}

impl<'a> Head<'a> {
    /// Walks back from the logits over what leaves the classes apart.
    fn of(anatomy: &Anatomy<'a>) -> Option<Self> {
        let mut tensor = anatomy.description.logits.as_str();
        let mut added = Vec::new();
        loop {
            let node = anatomy.maker(tensor)?;
            let [first, rest @ ..] = node.input.as_slice() else { return None };
            match node.op_type.as_str() {
                "Gemm" | "MatMul" | "Conv" => {
                    let from_image = anatomy.shapes.is_from_image(first);
                    return from_image.then_some(Self { node, added });
                }
                "Add" => {
                    let [second] = rest else { return None };
                    let constant = |tensor: &str| anatomy.shapes.constant_named(tensor).is_some();
                    let (kept, constant) = match (constant(first), constant(second)) {
                        (false, true) => (first, second),
                        (true, false) => (second, first),
                        _ => return None,
                    };
                    added.push(constant.as_str());
                    tensor = kept;
                }
                "Identity" | "Dropout" | "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" | "Relu"
                | "GlobalAveragePool" | "AveragePool" | "ReduceMean" => tensor = first,
                _ => return None,
            }
        }
    }

    fn read(&self, anatomy: &Anatomy<'_>) -> Option<OutputLayer> {
        let constant = |index: usize| {
            let name = self.node.input.get(index).filter(|name| !name.is_empty())?;
            read_f32(anatomy.graph, name).ok()
        };
        let weights = constant(1)?;
        let classes = usize::try_from(anatomy.description.classes).ok()?;
        let (alpha, weights) = match self.node.op_type.as_str() {
            "Gemm" => {
                let transposed = self.node.int("transB").unwrap_or(0) != 0;
                let weights = weights.into_dimensionality::<Ix2>().ok()?;
                let weights = if transposed { weights.reversed_axes() } else { weights };
                (self.node.float("alpha").unwrap_or(1.0), weights)
            }
            "Conv" if self.node.int("group").unwrap_or(1) == 1 => (1.0, by_class(weights)?),
            "MatMul" => (1.0, weights.into_dimensionality::<Ix2>().ok()?),
            _ => return None,
        };
        let beta = self.node.float("beta").unwrap_or(1.0);
        let own = constant(2).map(|biases| biases * beta);
        let added = self.added.iter().map(|name| read_f32(anatomy.graph, name).ok());
        let mut biases = Array1::<f32>::zeros(classes);
        for part in own.map(Some).into_iter().chain(added) {
            biases += &spread(part?, classes)?;
        }
        let own = self.node.input.iter().skip(1).filter(|name| !name.is_empty()).cloned();
        let tensors = own.chain(self.added.iter().map(|name| (*name).to_owned())).collect();
        (weights.ncols() == classes).then(|| OutputLayer { weights: weights * alpha, biases, tensors })
    }
}

/// Kernels `[M, C, ...]` as `[F, M]`.
fn by_class(kernels: ArrayD<f32>) -> Option<Array2<f32>> {
    let classes = *kernels.shape().first()?;
    let features = kernels.len().checked_div(classes)?;
    let rows = kernels.into_shape_with_order((classes, features)).ok()?;
    Some(rows.reversed_axes())
}

/// One bias a class, of a tensor `[M]`, `[1, M]`, `[M, 1, 1]` or a single number.
fn spread(biases: ArrayD<f32>, classes: usize) -> Option<Array1<f32>> {
    let flat: Array1<f32> = biases.into_iter().collect();
    match flat.len() {
        count if count == classes => Some(flat),
        1 => Some(Array1::from_elem(classes, flat[0])),
        _ => None,
    }
}
