//! What a stored tensor is to the network: whether it is trained, and whether weight decay pulls at it.

use std::collections::HashMap;

use gifthorse_network::onnx::messages::{GraphProto, NodeProto};
use serde::{Deserialize, Serialize};

/// What a stored tensor is to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Kernel of a convolution or matrix of a dense layer.
    Weight,
    /// What a layer adds.
    Bias,
    /// Slope of a rectifier.
    Slope,
    /// What batch normalisation multiplies by.
    Scale,
    /// What batch normalisation adds.
    Shift,
    /// Stored mean of batch normalisation.
    RunningMean,
    /// Stored variance of batch normalisation.
    RunningVariance,
    /// A constant of the computation, such as the mean of the pixels or a mask: not trained.
    Fixed,
}

impl Role {
    /// Whether gradients change it.
    pub const fn is_trained(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVariance | Self::Fixed)
    }

    /// Whether it belongs to one batch normalisation alone.
    pub(super) const fn is_of_batch_norm(self) -> bool {
        matches!(self, Self::Scale | Self::Shift | Self::RunningMean | Self::RunningVariance)
    }
}

/// The role of every tensor that some node gives one, by its name.
///
/// Nodes that only move elements pass the role on to what they move: a matrix may be stored turned.
pub(super) fn roles(graph: &GraphProto) -> HashMap<&str, Role> {
    let makers: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)))
        .collect();
    let mut roles = HashMap::new();
    for node in graph.node.iter().rev() {
        for (index, input) in node.input.iter().enumerate() {
            let role = of_input(node, index, &makers, &roles);
            // Fixed is what nobody has another use for.
            let known = roles.entry(input.as_str()).or_insert(role);
            if *known == Role::Fixed {
                *known = role;
            }
        }
    }
    roles
}

/// The role that a node gives to what it reads at this place.
pub(super) fn of_input(
    node: &NodeProto,
    index: usize,
    makers: &HashMap<&str, &NodeProto>,
    roles: &HashMap<&str, Role>,
) -> Role {
    match (node.op_type.as_str(), index) {
        ("Conv", 1) | ("Gemm", 0 | 1) | ("MatMul", _) => Role::Weight,
        ("Conv" | "Gemm", 2) => Role::Bias,
        ("PRelu", 1) => Role::Slope,
        ("BatchNormalization", 1) => Role::Scale,
        ("BatchNormalization", 2) => Role::Shift,
        ("BatchNormalization", 3) => Role::RunningMean,
        ("BatchNormalization", 4) => Role::RunningVariance,
        ("Add", _) => {
            // Of two inputs the one is a bias when the other comes straight out of a layer.
            let other = node.input.get(1 - index.min(1)).and_then(|name| makers.get(name.as_str()));
            let layer = other.is_some_and(|node| matches!(node.op_type.as_str(), "MatMul" | "Gemm" | "Conv"));
            if layer { Role::Bias } else { Role::Fixed }
        }
        ("Identity" | "Transpose" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" | "Cast", 0) => {
            node.output.first().and_then(|name| roles.get(name.as_str())).copied().unwrap_or(Role::Fixed)
        }
        _ => Role::Fixed,
    }
}
