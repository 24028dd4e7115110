//! From nodes with names to steps with places.

use std::collections::{HashMap, HashSet};

use gifthorse_network::NetworkDescription;
use gifthorse_network::onnx::messages::{GraphProto, ModelProto, NodeProto};
use tch::{Device, Kind, Tensor};

use super::{Parameter, Role, role};
use crate::error::{TrainingError, UnsupportedOperator};
use crate::operators::{self, Facts, Operator};

/// Where a step finds an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The images.
    Image,
    /// The parameter of this place.
    Stored(usize),
    /// What the step of this place made.
    Made(usize),
}

/// A node, ready to run.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) operator: Box<dyn Operator>,
    pub(super) inputs: Vec<Option<Source>>,
    /// Name of the tensor it makes.
    pub(super) tensor: String,
    /// What channels are multiplied by, `[1, C, 1, ...]`; none for all of them as they are.
    pub(super) mask: Option<Tensor>,
    /// Steps whose results nobody reads after this one.
    pub(super) used_up: Vec<usize>,
}

pub(super) struct Compiled {
    pub(super) parameters: Vec<Parameter>,
    pub(super) steps: Vec<Step>,
    pub(super) logits: usize,
}

/// Compiles a network that ends in its logits.
///
/// # Errors
/// [`TrainingError::UnsupportedOperators`] with every node that is not known.
pub(super) fn compile(
    model: &ModelProto,
    description: &NetworkDescription,
    torch: (Kind, Device),
    channels_last: bool,
) -> Result<Compiled, TrainingError> {
    let graph = model.graph.clone().unwrap_or_default();
    let mut faults = Vec::new();
    let parameters = parameters(&graph, torch, channels_last, &mut faults);
    let facts = Facts::new(i64::from(description.opset), &graph.initializer);
    let mut sources: HashMap<&str, Source> = parameters
        .iter()
        .enumerate()
        .map(|(place, kept)| (kept.name.as_str(), Source::Stored(place)))
        .collect();
    sources.insert(&description.input, Source::Image);
    let mut steps = Vec::new();
    for node in &graph.node {
        let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
        let fault = |reason| UnsupportedOperator {
            operator: node.op_type.clone(),
            node: name.cloned().unwrap_or_default(),
            reason,
        };
        let operator = match operators::build(node, &facts) {
            Ok(operator) => operator,
            Err(reason) => {
                faults.push(fault(reason));
                continue;
            }
        };
        let tensor = node.output.first().cloned().unwrap_or_default();
        let inputs = node.input.iter().map(|name| sources.get(name.as_str()).copied()).collect();
        sources.insert(node.output.first().map_or("", String::as_str), Source::Made(steps.len()));
        steps.push(Step { operator, inputs, tensor, mask: None, used_up: Vec::new() });
    }
    if !faults.is_empty() {
        return Err(TrainingError::UnsupportedOperators { operators: faults });
    }
    let missing = || TrainingError::NoSuchTensor { what: "activation", name: description.logits.clone() };
    let logits = steps.iter().position(|step| step.tensor == description.logits).ok_or_else(missing)?;
    release(&mut steps, logits);
    Ok(Compiled { parameters, steps, logits })
}

fn parameters(
    graph: &GraphProto,
    torch: (Kind, Device),
    channels_last: bool,
    faults: &mut Vec<UnsupportedOperator>,
) -> Vec<Parameter> {
    let roles = role::roles(graph);
    let mut parameters = Vec::new();
    for stored in &graph.initializer {
        let role = roles.get(stored.name.as_str()).copied().unwrap_or(Role::Fixed);
        match Parameter::read(stored, role, torch, channels_last) {
            Ok(parameter) => parameters.push(parameter),
            Err(reason) => faults.push(UnsupportedOperator {
                operator: reader(graph, &stored.name).map_or("Constant", |node| &node.op_type).to_owned(),
                node: stored.name.clone(),
                reason,
            }),
        }
    }
    parameters
}

fn reader<'a>(graph: &'a GraphProto, tensor: &str) -> Option<&'a NodeProto> {
    graph.node.iter().find(|node| node.input.iter().any(|input| input == tensor))
}

/// Notes after which step each result is not read any more.
fn release(steps: &mut [Step], logits: usize) {
    let mut seen = HashSet::from([logits]);
    for place in (0..steps.len()).rev() {
        let read: Vec<usize> = steps[place]
            .inputs
            .iter()
            .filter_map(|source| if let Some(Source::Made(made)) = source { Some(*made) } else { None })
            .collect();
        steps[place].used_up = read.into_iter().filter(|made| seen.insert(*made)).collect();
    }
}
