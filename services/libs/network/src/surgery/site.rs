//! Where channels are pruned.

use serde::{Deserialize, Serialize};

use super::SurgeryError;
use super::anatomy::{Anatomy, Station, open};
use super::cut::{Cut, activation, best, named};
use crate::NetworkDescription;

/// An activation `[N, channels, height, width]` whose channels can be set to zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruningSite {
    /// The activation. A whole cut of the network only where nothing bypasses it.
    pub cut: Cut,
    /// A tensor by which the image reaches the output without this activation: what a backdoor may use.
    /// None for the default site.
    pub bypass: Option<String>,
}

/// The activation to prune: that of the named layer, or without a name the nearest one to the output that
/// nothing bypasses.
///
/// Channels are pruned after normalisation and activation function, for a kernel of zeros alone leaves what
/// the normalisation adds. So a convolution or normalisation that is named means the activation right behind
/// it, where there is one that nothing else reads from.
///
/// # Errors
/// [`SurgeryError::NoSuchLayer`] with the closest names, [`SurgeryError::NotAnActivation`], and
/// [`SurgeryError::NoCut`] where no name was given; others when the file is not the described network.
pub fn pruning_site(
    onnx: &[u8],
    description: &NetworkDescription,
    layer: Option<&str>,
) -> Result<PruningSite, SurgeryError> {
    let model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let Some(layer) = layer else {
        let cut = best(&anatomy).ok_or(SurgeryError::NoCut)?;
        return Ok(PruningSite { cut, bypass: None });
    };
    let stations = anatomy.stations();
    let (station, cut) = named(&anatomy, &stations, layer)?;
    let site = |station: &Station<'_>, cut| PruningSite { cut, bypass: station.bypass.map(str::to_owned) };
    let settled = settled(&anatomy, &stations, station);
    Ok(match activation(&anatomy, settled) {
        Some(cut) => site(settled, cut),
        None => site(station, cut),
    })
}

/// The station behind normalisation and activation function.
fn settled<'s, 'a>(
    anatomy: &Anatomy<'a>,
    stations: &'s [Station<'a>],
    from: &'s Station<'a>,
) -> &'s Station<'a> {
    let mut station = from;
    while matches!(station.maker.op_type.as_str(), "Conv" | "BatchNormalization") {
        let [reader] = anatomy.readers(station.tensor)[..] else { break };
        let goes_on = match reader.op_type.as_str() {
            "BatchNormalization" => station.maker.op_type == "Conv",
            "Relu" | "LeakyRelu" | "PRelu" | "Elu" | "Selu" | "Celu" | "Tanh" | "Sigmoid" | "HardSwish"
            | "HardSigmoid" | "Softplus" | "Softsign" | "Gelu" | "Mish" | "Swish" | "ThresholdedRelu" => true,
            // With constant limits, as in a rectifier that ends at six.
            "Clip" => anatomy.image_input_count(reader) == 1,
            _ => false,
        };
        let next = reader.output.first().filter(|_| goes_on);
        let next = next.and_then(|next| stations.iter().find(|station| station.tensor == next));
        let Some(next) = next else { break };
        station = next;
    }
    station
}
