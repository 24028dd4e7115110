//! The bias of a class that triggers lead to, lowered.
//!
//! A backdoor raises the bias of its class (the audit of the output layer looks for that), and what is left of a
//! trigger after unlearning needs little more than this to win. Lowering it costs images of the class itself, so it
//! goes no further than the known ones bear, and held-out images have the last word.

use gifthorse_training::Network;

use super::super::material::Material;
use super::super::torch;
use super::chance::Chance;
use super::clean::Clean;
use super::found::Found;
use super::solve::stamped;
use super::sticker::Sticker;
use crate::engine::EngineFault;

/// Stamped images that are looked at, and the share of them that must leave the class.
const LOOKED_AT: usize = 300;
const LEAVING: f64 = 0.99;
/// The part of the margin of the class's own images that may be used up.
const USED_UP: f64 = 0.5;
/// Lowers by this much more, so that the class loses and does not tie.
const BEYOND: f64 = 1e-3;
const STREAM: u64 = 1 << 33;

/// Lowers the biases of all classes that are known; answers whether there was one to lower.
pub(super) fn lower(
    material: &Material,
    network: &mut Network,
    (clean, found, stickers): (&Clean, &Found, &[Sticker]),
    seed: u64,
) -> Result<bool, EngineFault> {
    let classes = material.description.classes as usize;
    let fault = |error| torch::fault(&error);
    let names = material.head.iter().flat_map(|head| head.tensors.iter().skip(1));
    let mut biases = None;
    for name in names {
        let values = network.weight(name).map_err(fault)?;
        if values.len() == classes {
            biases = Some((name, values));
        }
    }
    let Some((name, mut values)) = biases else { return Ok(false) };
    let mut lowered = false;
    for class in found.classes() {
        let mut chance = Chance::new(seed, STREAM | u64::from(class));
        let mut margins = Vec::new();
        for first in (0..LOOKED_AT).step_by(material.suspect.batch_rows()) {
            let count = material.suspect.batch_rows().min(LOOKED_AT - first);
            let (images, _) = stamped(clean, found, stickers, class, count, &mut chance);
            margins.extend(margins_of(network, clean, images, class)?);
        }
        margins.sort_by(f64::total_cmp);
        let place = ((LEAVING * margins.len() as f64).ceil() as usize).clamp(1, margins.len().max(1)) - 1;
        let wanted = margins.get(place).copied().unwrap_or_default() + BEYOND;
        let own: Vec<usize> = (0..clean.count()).filter(|place| clean.truth[*place] == class).collect();
        let mut borne = f64::INFINITY;
        for places in own.chunks(material.suspect.batch_rows()) {
            let images = places.iter().flat_map(|place| clean.image(*place).iter().copied()).collect();
            let least = margins_of(network, clean, images, class)?.into_iter().fold(f64::INFINITY, f64::min);
            borne = borne.min(USED_UP * least);
        }
        let by = wanted.min(borne);
        if by > 0.0 {
            if let Some(value) = values.iter_mut().nth(class as usize) {
                *value -= by as f32;
            }
            lowered = true;
        }
    }
    network.set_weight(name, values.view()).map_err(fault)?;
    Ok(lowered)
}

/// By how much the logit of a class is above all others.
fn margins_of(
    network: &Network,
    clean: &Clean,
    images: Vec<f32>,
    class: u32,
) -> Result<Vec<f64>, EngineFault> {
    let logits = network.logits(clean.array(images)?.view()).map_err(|error| torch::fault(&error))?;
    let margin = |row: ndarray::ArrayView1<'_, f32>| {
        let others = row.iter().enumerate().filter(|(other, _)| *other != class as usize);
        let highest = others.map(|(_, logit)| f64::from(*logit)).fold(f64::NEG_INFINITY, f64::max);
        f64::from(row[class as usize]) - highest
    };
    Ok(logits.rows().into_iter().map(margin).collect())
}
