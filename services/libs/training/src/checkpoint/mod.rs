//! A training put down: weights, what the optimiser remembers, and how far it has come.
//!
//! Chance is a function of the seed and of the position, so these two are the whole random state.

mod file;

use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

use crate::device::Environment;
use crate::error::{At as _, TrainingError};
use crate::graph::{Network, NetworkOptions};
use crate::optimizer::Memory;
use crate::trainer::{Position, Recipe, Trainer};

/// A training put down.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    header: Header,
    /// The numbers of all tensors, one after the other, little-endian and row-major.
    data: Vec<u8>,
}

/// What is written beside the numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    environment: Environment,
    options: NetworkOptions,
    recipe: Recipe,
    position: Position,
    masks: Vec<(String, Vec<bool>)>,
    frozen: Vec<String>,
    /// Stored tensors of the network, in the order of the file.
    weights: Vec<Entry>,
    /// What the optimiser remembers, trained tensor by trained tensor.
    moments: Vec<Entry>,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    shape: Vec<i64>,
}

impl Checkpoint {
    pub(crate) fn of(trainer: &Trainer) -> Result<Self, TrainingError> {
        let network = trainer.network();
        let mut data = Vec::new();
        let mut weights = Vec::new();
        for (parameter, tensor) in network.stored() {
            weights.push(append(&mut data, &parameter.name, tensor).at(&parameter.name)?);
        }
        let mut moments = Vec::new();
        for ((parameter, _), memory) in network.trained().zip(trainer.memories()) {
            for moment in &memory.moments {
                moments.push(append(&mut data, &parameter.name, moment).at(&parameter.name)?);
            }
        }
        let frozen = network.parameters().into_iter().filter(|kept| kept.role.is_trained() && !kept.trained);
        let header = Header {
            environment: Environment::of(network.options().device),
            options: network.options(),
            recipe: trainer.recipe().clone(),
            position: trainer.position(),
            masks: network.masks()?,
            frozen: frozen.map(|kept| kept.name).collect(),
            weights,
            moments,
        };
        Ok(Self { header, data })
    }

    /// Where it was made: on another kind of machine the training goes on to slightly other weights.
    pub const fn environment(&self) -> &Environment {
        &self.header.environment
    }

    /// The settings it was made under.
    pub const fn recipe(&self) -> &Recipe {
        &self.header.recipe
    }

    /// How far the training had come.
    pub const fn position(&self) -> Position {
        self.header.position
    }

    pub(crate) fn restore_network(&self, network: &mut Network) -> Result<(), TrainingError> {
        let other = |what: &str| TrainingError::OtherTraining { what: what.to_owned() };
        if network.options().precision != self.header.options.precision {
            return Err(other("the precision"));
        }
        let stored: Vec<Entry> =
            network.stored().map(|(parameter, tensor)| Entry::of(&parameter.name, tensor)).collect();
        if stored != self.header.weights {
            return Err(other("the network"));
        }
        let kind = network.torch().0;
        let _no_gradients = tch::no_grad_guard();
        let mut reader = Reader { data: &self.data, kind };
        for (entry, (_, tensor)) in self.header.weights.iter().zip(network.stored()) {
            reader.read_into(entry, tensor)?;
        }
        for (tensor, kept) in &self.header.masks {
            network.mask_channels(tensor, kept)?;
        }
        network.freeze(|parameter| self.header.frozen.contains(&parameter.name))
    }

    pub(crate) fn restore_trainer(&self, trainer: &mut Trainer) -> Result<(), TrainingError> {
        let other = |what: &str| TrainingError::OtherTraining { what: what.to_owned() };
        if *trainer.recipe() != self.header.recipe {
            return Err(other("the recipe"));
        }
        let kind = trainer.network().torch().0;
        let mut reader = Reader { data: &self.data, kind };
        self.header.weights.iter().try_for_each(|entry| reader.take(entry).map(|_| ()))?;
        let _no_gradients = tch::no_grad_guard();
        let mut entries = self.header.moments.iter();
        let mut memories = Vec::new();
        for (parameter, weight) in trainer.network().trained() {
            let memory = Memory::new(trainer.recipe().optimizer, weight).at(&parameter.name)?;
            for moment in &memory.moments {
                let entry = entries.next().ok_or_else(|| other("the state of the optimiser"))?;
                if *entry != Entry::of(&parameter.name, moment) {
                    return Err(other("the state of the optimiser"));
                }
                reader.read_into(entry, moment)?;
            }
            memories.push(memory);
        }
        trainer.restore(self.header.position, memories);
        Ok(())
    }
}

impl Entry {
    fn of(name: &str, tensor: &Tensor) -> Self {
        Self { name: name.to_owned(), shape: tensor.size() }
    }

    /// Bytes of its numbers; none when there cannot be so many.
    fn bytes(&self, kind: Kind) -> Option<usize> {
        let sizes = self.shape.iter().map(|size| usize::try_from(*size).ok());
        sizes.into_iter().try_fold(kind.elt_size_in_bytes(), |bytes, size| bytes.checked_mul(size?))
    }
}

/// Numbers of tensors, one after the other.
struct Reader<'a> {
    data: &'a [u8],
    kind: Kind,
}

impl<'a> Reader<'a> {
    fn take(&mut self, entry: &Entry) -> Result<&'a [u8], TrainingError> {
        let split = entry.bytes(self.kind).and_then(|bytes| self.data.split_at_checked(bytes));
        let fault =
            || TrainingError::Checkpoint { fault: format!("the numbers of {:?} are missing", entry.name) };
        let (taken, rest) = split.ok_or_else(fault)?;
        self.data = rest;
        Ok(taken)
    }

    fn read_into(&mut self, entry: &Entry, tensor: &Tensor) -> Result<(), TrainingError> {
        let bytes = self.take(entry)?;
        let values = Tensor::f_from_data_size(bytes, &entry.shape, self.kind);
        values.and_then(|values| tensor.f_detach()?.f_copy_(&values)).at(&entry.name)
    }
}

fn append(data: &mut Vec<u8>, name: &str, tensor: &Tensor) -> Result<Entry, TchError> {
    let entry = Entry::of(name, tensor);
    let (count, size) = (tensor.numel(), tensor.kind().elt_size_in_bytes());
    let start = data.len();
    data.resize(start + count * size, 0);
    tensor.f_detach()?.f_copy_data_u8(&mut data[start..], count)?;
    Ok(entry)
}
