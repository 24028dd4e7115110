//! The room `training` as a job uses it.

use std::num::NonZeroUsize;

use gifthorse_api::catalogue::Coded as _;
use gifthorse_network::NetworkDescription;
use gifthorse_network::surgery::PruningSite;
use gifthorse_training::{Device, Network, NetworkOptions, TrainingError};

use crate::engine::EngineFault;

/// Threads that libtorch computes with.
pub(super) fn use_threads(count: NonZeroUsize) {
    gifthorse_training::use_threads(count);
}

/// A numerical fault where the numbers failed, else what the error says.
pub(super) fn fault(error: &TrainingError) -> EngineFault {
    match error {
        TrainingError::NotFinite { .. } => EngineFault::numerical(error.to_string()),
        _ => EngineFault::internal(error.code(), error.to_string()),
    }
}

/// Loads a network for training, on the GPU where there is one, with pruned channels held at zero and the tensors
/// of these names as they are.
pub(super) fn load(
    onnx: &[u8],
    description: &NetworkDescription,
    site: &PruningSite,
    pruned: &[usize],
    held: &[String],
) -> Result<Network, EngineFault> {
    let options = NetworkOptions { device: Device::best(), ..NetworkOptions::default() };
    let mut network = Network::load(onnx, description, options).map_err(|error| fault(&error))?;
    if !pruned.is_empty() {
        let mut kept = vec![true; site.cut.channels as usize];
        for channel in pruned {
            kept[*channel] = false;
        }
        network.mask_channels(&site.cut.tensor, &kept).map_err(|error| fault(&error))?;
    }
    if !held.is_empty() {
        network.freeze(|parameter| held.contains(&parameter.name)).map_err(|error| fault(&error))?;
    }
    Ok(network)
}

/// The network as a file, its pruned channels zero by their weights alone where `pruned` made them so: the masks of
/// the training are left out.
pub(super) fn write(network: &mut Network) -> Result<Vec<u8>, EngineFault> {
    network.clear_masks();
    network.to_onnx().map_err(|error| fault(&error))
}
