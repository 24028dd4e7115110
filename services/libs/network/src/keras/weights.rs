//! Which tensor of the file is which weight of which layer.

use std::collections::{BTreeMap, HashMap};

use super::draw::Draw;
use super::fault::{damaged, shortened};
use super::hdf5_file::{Folder, Tensor};
use super::layer::Role;
use super::model::{Content, Model};
use super::text::optional_texts;
use crate::NetworkError;

/// The weights of one layer, or of one model within the model, as the file lists them.
#[derive(Debug, Clone)]
struct Listed {
    layer: String,
    names: Vec<String>,
}

/// Where the numbers of a network come from.
#[derive(Debug)]
pub(super) enum Weights {
    /// The tensors of a file by layer and role.
    File(HashMap<String, HashMap<&'static str, Tensor>>),
    /// Chance: the network has not been trained yet.
    Drawn(Draw),
}

/// A layer with weights somewhere in a model: its path of names and what it needs.
struct Leaf {
    path: Vec<String>,
    roles: Vec<Role>,
}

impl Weights {
    /// Matches the layer groups under `root` with the layers of `model`; shapes are not looked at yet.
    pub(super) fn assign(root: &Folder, model: &Model) -> Result<Self, NetworkError> {
        let mut needed = BTreeMap::new();
        for entry in &model.entries {
            let mut leaves = Vec::new();
            collect(&entry.content, vec![entry.name.clone()], &mut leaves);
            if !leaves.is_empty() {
                needed.insert(entry.name.as_str(), leaves);
            }
        }
        let found = listed(root)?;
        check_names(&needed, &found)?;
        let mut assigned = HashMap::new();
        for listed in &found {
            let Some(leaves) = needed.get(listed.layer.as_str()) else { continue };
            let folder = root.folder(&listed.layer)?;
            for (leaf, names) in grouped(leaves, listed)? {
                let roles = by_role(leaf, &names)?;
                let mut tensors = HashMap::new();
                for (role, name) in roles {
                    tensors.insert(role, folder.tensor(name)?);
                }
                assigned.insert(leaf.path.join("/"), tensors);
            }
        }
        Ok(Self::File(assigned))
    }

    /// The numbers of this role of the layer at this path (`LAYER`, or `MODEL/LAYER` within a model), which must
    /// have this Keras shape.
    pub(super) fn values(&self, path: &str, role: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
        let assigned = match self {
            Self::Drawn(draw) => return Ok(draw.values(path, role, shape)),
            Self::File(assigned) => assigned,
        };
        let tensor = assigned.get(path).and_then(|roles| roles.get(role));
        let tensor = tensor
            .ok_or_else(|| damaged(format!("the file has no {role} for layer {:?}", shortened(path))))?;
        if tensor.shape != shape {
            return Err(damaged(format!(
                "{role} of layer {:?} must have the shape {shape:?}, the file's has {:?}",
                shortened(path),
                tensor.shape
            )));
        }
        tensor.read()
    }
}

/// The layers with weights in `content`, in the order of the description.
fn collect(content: &Content, path: Vec<String>, leaves: &mut Vec<Leaf>) {
    match content {
        Content::Input(_) => {}
        Content::Layer(layer) => {
            let roles = layer.roles();
            if !roles.is_empty() {
                leaves.push(Leaf { path, roles });
            }
        }
        Content::Model(model) => {
            for entry in &model.entries {
                let path = path.iter().chain([&entry.name]).cloned().collect();
                collect(&entry.content, path, leaves);
            }
        }
    }
}

/// The layers of the file that have weights.
fn listed(root: &Folder) -> Result<Vec<Listed>, NetworkError> {
    let layers = optional_texts(&root.group, "layer_names")?;
    let layers = layers.ok_or_else(|| damaged("the file has no layer_names: it holds no Keras weights"))?;
    let mut found: Vec<Listed> = Vec::new();
    for layer in layers {
        let folder = root.folder(&layer)?;
        let names = optional_texts(&folder.group, "weight_names")?.unwrap_or_default();
        if names.is_empty() {
            continue;
        }
        if found.iter().any(|known| known.layer == layer) {
            return Err(damaged(format!("layer {:?} is listed twice", shortened(&layer))));
        }
        found.push(Listed { layer, names });
    }
    Ok(found)
}

/// Checks that file and architecture have the same layers with weights.
fn check_names(needed: &BTreeMap<&str, Vec<Leaf>>, found: &[Listed]) -> Result<(), NetworkError> {
    let quoted = |names: Vec<&str>| -> String {
        let shown: Vec<_> = names.iter().take(8).map(|name| format!("{:?}", shortened(name))).collect();
        let more = names.len().saturating_sub(shown.len());
        if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
    };
    let missing: Vec<_> =
        needed.keys().copied().filter(|name| !found.iter().any(|listed| listed.layer == *name)).collect();
    let extra: Vec<_> =
        found.iter().map(|listed| listed.layer.as_str()).filter(|name| !needed.contains_key(name)).collect();
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(format!("the architecture needs weights for {}, which the file lacks", quoted(missing)));
    }
    if !extra.is_empty() {
        faults.push(format!("the file has weights for {}, which the architecture lacks", quoted(extra)));
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(damaged(format!("weights and architecture do not belong together: {}", faults.join("; "))))
}

/// A weight's path without its last name, and the last name without `:0`.
fn split(name: &str) -> (&str, &str) {
    let (parent, last) = name.rsplit_once('/').unwrap_or(("", name));
    (parent, last.rsplit_once(':').map_or(last, |(last, _)| last))
}

/// Deals the weights of one group of the file to the layers of one entry of the model.
///
/// A plain layer takes all. Within a model, weights that share a parent belong together, and the parent's
/// last name is the layer's; where names do not fit (Keras 2.3 appended counts), order decides.
fn grouped<'a>(
    leaves: &'a [Leaf],
    listed: &'a Listed,
) -> Result<Vec<(&'a Leaf, Vec<&'a str>)>, NetworkError> {
    if let [leaf] = leaves
        && leaf.path.len() == 1
    {
        return Ok(vec![(leaf, listed.names.iter().map(String::as_str).collect())]);
    }
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for name in &listed.names {
        let (parent, _) = split(name);
        match groups.iter_mut().find(|(known, _)| *known == parent) {
            Some((_, names)) => names.push(name),
            None => groups.push((parent, vec![name])),
        }
    }
    if groups.len() != leaves.len() {
        return Err(damaged(format!(
            "model {:?} has {} layers with weights, the file lists {} for it",
            shortened(&listed.layer),
            leaves.len(),
            groups.len()
        )));
    }
    let chosen: Option<Vec<usize>> = leaves.iter().map(|leaf| best(leaf, &groups)).collect();
    let unique = |chosen: &Vec<usize>| {
        let mut seen = vec![false; groups.len()];
        chosen.iter().all(|index| !std::mem::replace(&mut seen[*index], true))
    };
    let order = chosen.filter(unique).unwrap_or_else(|| (0..groups.len()).collect());
    Ok(leaves.iter().zip(order).map(|(leaf, index)| (leaf, groups[index].1.clone())).collect())
}

/// The group whose parent ends in the layer's name and shares most of its path.
fn best(leaf: &Leaf, groups: &[(&str, Vec<&str>)]) -> Option<usize> {
    let path = leaf.path.join("/");
    let agreement = |parent: &str| {
        let parts = parent.rsplit('/').zip(path.rsplit('/'));
        parts.take_while(|(left, right)| left == right).map(|(left, _)| left.len() + 1).sum::<usize>()
    };
    let name = leaf.path.last()?;
    let ends = |parent: &str| {
        parent.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    let fitting = groups.iter().enumerate().filter(|(_, (parent, _))| ends(parent));
    fitting.max_by_key(|(_, (parent, _))| agreement(parent)).map(|(index, _)| index)
}

/// Matches the names with the roles of a layer, by name or else by order.
fn by_role<'a>(leaf: &Leaf, names: &[&'a str]) -> Result<Vec<(&'static str, &'a str)>, NetworkError> {
    let path = leaf.path.join("/");
    if names.len() != leaf.roles.len() {
        let needed: Vec<_> = leaf.roles.iter().map(|role| role.name).collect();
        return Err(damaged(format!(
            "layer {:?} needs {} weights ({}), the file lists {}",
            shortened(&path),
            needed.len(),
            needed.join(", "),
            names.len()
        )));
    }
    let find = |role: &Role| {
        names.iter().copied().find(|name| {
            let (_, last) = split(name);
            last == role.name || role.alias == Some(last)
        })
    };
    let by_name: Option<Vec<_>> =
        leaf.roles.iter().map(|role| find(role).map(|name| (role.name, name))).collect();
    Ok(by_name
        .unwrap_or_else(|| leaf.roles.iter().map(|role| role.name).zip(names.iter().copied()).collect()))
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
