//! Upper limits on activations, put into a network file.

use ndarray::ArrayView4;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use super::SurgeryError;
use super::anatomy::{Anatomy, open};
use super::insert::insert_behind;
use crate::onnx::check::opset;
use crate::{Layout, NetworkDescription};

/// From this version of the standard operators on a `Min` spreads one number a channel over its places.
const SPREADING_MIN: i64 = 8;

/// What the channels of one activation may reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelLimits {
    /// The activation `[N, C, H, W]`.
    pub tensor: String,
    /// The greatest value of each channel.
    pub greatest: Vec<f32>,
}

/// Limits the channels of activations from above: what lies within the limits keeps its value to the bit.
///
/// Behind each activation comes a `Min` with a constant `[1, C, 1, 1]`; whoever read the activation reads the
/// limited one, under the same name. A trigger that works by driving channels further than images do loses
/// some of its hold that way. Keras cannot say this with weights alone: a limited network is exported as ONNX.
///
/// # Errors
/// [`SurgeryError::NotLimited`] for a tensor that is no activation with so many channels, and for a file of
/// operators too old for it; others when the file is not the described network.
pub fn clip_channels(
    onnx: &[u8],
    description: &NetworkDescription,
    limits: &[ChannelLimits],
) -> Result<Vec<u8>, SurgeryError> {
    let mut model = open(onnx)?;
    let anatomy = Anatomy::of(&model, description)?;
    let refused = |limits: &ChannelLimits, reason: &str| SurgeryError::NotLimited {
        tensor: limits.tensor.clone(),
        reason: reason.to_owned(),
    };
    for one in limits {
        let tensor = one.tensor.as_str();
        if opset(&model).unwrap_or_default() < SPREADING_MIN {
            return Err(refused(one, "the operators of the file are older than opset 8"));
        }
        if !anatomy.stations().iter().any(|station| station.tensor == tensor) {
            return Err(refused(one, "the image does not pass it"));
        }
        let channels = anatomy.shapes.of(tensor).and_then(crate::onnx::shapes::without_batch);
        let fits = channels.is_some_and(|sizes| sizes.len() == 3 && sizes[0] == one.greatest.len() as u64);
        if !fits || anatomy.layouts.get(tensor) != Some(&Layout::Nchw) {
            return Err(refused(one, "it is no activation [N, channels, rows, columns] of so many channels"));
        }
        if one.greatest.iter().any(|limit| !limit.is_finite()) {
            return Err(refused(one, "a limit is not finite"));
        }
    }
    if let Some(graph) = model.graph.as_mut() {
        for one in limits {
            let shape = (1, one.greatest.len(), 1, 1);
            if let Ok(values) = ArrayView4::from_shape(shape, &one.greatest) {
                insert_behind(
                    graph,
                    &one.tensor,
                    "Min",
                    ["unlimited", "limits", "limited"],
                    values.into_dyn(),
                );
            }
        }
    }
    Ok(model.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::check;
    use crate::onnx::messages::ModelProto;
    use crate::surgery::fixture::{bypassed, chain};
    use crate::surgery::{activations, pruning_site};

    #[test]
    fn limits_stand_behind_their_activation() {
        let network = bypassed();
        let found = activations(&network.onnx, &network.description).unwrap();
        let limits: Vec<ChannelLimits> = found
            .iter()
            .map(|one| ChannelLimits {
                tensor: one.at.tensor.clone(),
                greatest: vec![0.5; one.at.channels as usize],
            })
            .collect();
        let limited = clip_channels(&network.onnx, &network.description, &limits).unwrap();
        let model = ModelProto::decode(limited.as_slice()).unwrap();
        check(&model).unwrap();
        let added = model.graph.unwrap().node.into_iter().filter(|node| node.op_type == "Min");
        let names: Vec<String> = added.map(|node| node.output[0].clone()).collect();
        assert_eq!(names.len(), limits.len());
        assert!(limits.iter().all(|one| names.contains(&one.tensor)));
        let site = pruning_site(&limited, &network.description, None).unwrap();
        assert_eq!(site.cut.tensor, "pool_3", "names are those of before");
    }

    #[test]
    fn what_cannot_be_limited_is_refused() {
        let network = chain();
        for (tensor, count, says) in
            [("pool0", 5, "so many channels"), ("fc0", 7, "no activation"), ("elsewhere", 1, "does not pass")]
        {
            let limits = [ChannelLimits { tensor: tensor.to_owned(), greatest: vec![1.0; count] }];
            let refused = clip_channels(&network.onnx, &network.description, &limits).unwrap_err();
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }
}
