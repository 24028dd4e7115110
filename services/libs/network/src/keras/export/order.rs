//! The order in which Keras lists the layers of a model once it has built it.
//!
//! Keras loads weights by position, not by name, so a file must list them in the order that Keras itself
//! will arrive at: by distance from the outputs, and at the same distance in the order in which a walk from
//! the outputs towards the inputs first meets the layers.

use std::collections::HashMap;

use super::super::model::{Model, Style};

/// A call of a layer: indices of layer and call.
type Call = (usize, usize);

/// Indices of the layers in the order of Keras; layers that lead to no output are left out.
pub(super) fn keras_order(model: &Model) -> Vec<usize> {
    if model.style == Style::Sequential {
        return (0..model.entries.len()).collect();
    }
    let (finished, met) = walk(model);
    let mut call_depths: HashMap<Call, usize> = HashMap::new();
    let mut depths: HashMap<usize, usize> = HashMap::new();
    for call in finished.iter().rev() {
        let own = *call_depths.entry(*call).or_default();
        let layer = depths.entry(call.0).or_default();
        let depth = own.max(*layer);
        *layer = depth;
        call_depths.insert(*call, depth);
        for parent in parents(model, *call) {
            let known = call_depths.entry(parent).or_default();
            *known = (*known).max(depth + 1);
        }
    }
    let mut order: Vec<usize> = depths.keys().copied().collect();
    order.sort_unstable_by_key(|entry| (std::cmp::Reverse(depths[entry]), met[entry]));
    order
}

fn parents(model: &Model, (entry, call): Call) -> Vec<Call> {
    let inputs = model.entries[entry].calls.get(call).map(Vec::as_slice).unwrap_or_default();
    inputs.iter().map(|endpoint| (endpoint.entry, endpoint.call)).collect()
}

/// Walks from the outputs towards the inputs: the calls, each after those it depends on, and when each
/// layer was first met.
fn walk(model: &Model) -> (Vec<Call>, HashMap<usize, usize>) {
    let mut met: HashMap<usize, usize> = HashMap::new();
    let mut begun: std::collections::HashSet<Call> = std::collections::HashSet::new();
    let mut finished = Vec::new();
    for output in &model.outputs {
        let mut stack = vec![((output.entry, output.call), 0)];
        while let Some((call, next)) = stack.pop() {
            if next == 0 {
                if !begun.insert(call) {
                    continue;
                }
                let count = met.len();
                met.entry(call.0).or_insert(count);
            }
            match parents(model, call).get(next) {
                Some(parent) => {
                    stack.push((call, next + 1));
                    stack.push((*parent, 0));
                }
                None => finished.push(call),
            }
        }
    }
    (finished, met)
}

#[cfg(test)]
mod tests {
    use super::super::super::activation::Generation;
    use super::*;
    use crate::architecture::Template;

    #[test]
    fn the_course_network_is_listed_as_keras_lists_it() {
        let model = Model::parse(&Template::DeepId.keras_json(), Generation::Two).unwrap();
        let names: Vec<_> =
            keras_order(&model).into_iter().map(|index| model.entries[index].name.as_str()).collect();
        let expected = [
            "input",
            "conv_1",
            "pool_1",
            "conv_2",
            "pool_2",
            "conv_3",
            "pool_3",
            "conv_4",
            "flatten_1",
            "flatten_2",
            "fc_1",
            "fc_2",
            "add_1",
            "activation_1",
            "output",
        ];
        assert_eq!(names, expected);
    }
}
