//! From triggers to weights: limits on the channels where they are asked for, then the ridge, as strong as held-out
//! clean images allow.

use gifthorse_network::surgery::{ChannelLimits, activations, clip_channels, first_linear};
use gifthorse_training::{Network, Ridge, RidgeStrength, channel_quantiles};
use ndarray::{ArrayD, Ix4};

use super::super::material::Material;
use super::super::settings::Settings;
use super::super::torch;
use super::bias;
use super::chance::Chance;
use super::clean::Clean;
use super::found::{Found, How, Kept, Source};
use super::sticker::{Placing, Sticker};
use crate::engine::{Cancelled, EngineFault};

/// Variations of clean images, in all at least, and of each image at most: the more, the less do classes without
/// images lose.
const VARIATIONS: usize = 2_400;
const MOST_OF_ONE: usize = 40;
/// Stamped images of each class.
const STAMPED: usize = 1_500;
/// Stickers put on one image at most.
const MOST_STICKERS: usize = 6;
/// How much stamped images count beside clean ones, the strongest first: triggers that are known as they are need
/// less than those that were only found to work.
const WEIGHTS_OF_FOUND: [f64; 3] = [1.0, 0.3, 0.1];
const WEIGHTS_OF_REAL: [f64; 2] = [0.3, 0.1];
/// How strongly weights are held: triggers that are known as they are need no wide berth, and on the face networks of
/// the course more held-out clean images stayed right with the stronger hold (909 of 950 instead of 900 over ten
/// repairs).
const HOLD_OF_FOUND: f64 = 0.3;
const HOLD_OF_REAL: f64 = 1.0;
/// Pixels that real triggers are moved by at most, a part of the shorter side.
const MOVED: i64 = 24;
/// Images that the limits of channels are taken from at most, and numbers of one activation.
const LIMITING: usize = 600;
const LIMITING_NUMBERS: usize = 1 << 26;
/// Streams of draws.
const CLEAN_STREAM: u64 = 21;
const STAMPED_STREAM: u64 = 1 << 32;
const NOISE_STREAM: u64 = 22;

/// The repaired network, and what it costs. None where no strength leaves enough of the accuracy.
pub(super) fn solve(
    material: &Material,
    settings: &Settings,
    onnx: &[u8],
    (clean, found, stickers): (&Clean, &Found, &[Sticker]),
    correct: impl Fn(&Network) -> Result<usize, EngineFault>,
    (before, images): (usize, usize),
    cancelled: &Cancelled,
) -> Result<(Option<Network>, Kept), EngineFault> {
    let description = &material.description;
    let sums = first_linear(onnx, description).map_err(|error| EngineFault::of(&error))?;
    let onnx = match settings.inversion.clip_quantile {
        Some(share) => limited(material, settings, onnx, clean, share, cancelled)?,
        None => onnx.to_vec(),
    };
    let load = || torch::load(&onnx, description, &material.site, &[], &[]);
    let network = load()?;
    let fault = |error| torch::fault(&error);
    let mut ridges = sums.into_iter().map(Ridge::new).collect::<Result<Vec<_>, _>>().map_err(fault)?;

    let batch = material.suspect.batch_rows();
    let mut chance = Chance::new(settings.seed, CLEAN_STREAM);
    let of_one = VARIATIONS.div_ceil(clean.count().max(1)).clamp(1, MOST_OF_ONE);
    let places: Vec<usize> =
        (0..clean.count()).flat_map(|place| std::iter::repeat_n(place, of_one)).collect();
    for places in places.chunks(batch) {
        cancelled.check()?;
        let varied = places.iter().flat_map(|place| clean.varied(*place, &mut chance)).collect();
        add_clean(&network, &mut ridges, &clean.array(varied)?)?;
    }
    for places in (0..clean.count()).collect::<Vec<_>>().chunks(batch) {
        let plain = places.iter().flat_map(|place| clean.image(*place).iter().copied()).collect();
        add_clean(&network, &mut ridges, &clean.array(plain)?)?;
    }
    for (target, class) in found.classes().into_iter().enumerate() {
        let mut chance = Chance::new(settings.seed, STAMPED_STREAM | u64::from(class));
        for first in (0..STAMPED).step_by(batch) {
            cancelled.check()?;
            let count = batch.min(STAMPED - first);
            let (with, without) = stamped(clean, found, stickers, class, count, &mut chance);
            let (with, without) = (clean.array(with)?, clean.array(without)?);
            for ridge in &mut ridges {
                ridge
                    .add_stamped(&network, target, with.view(), without.view())
                    .map_err(|error| torch::fault(&error))?;
            }
        }
    }
    let real = found.pieces.iter().all(|piece| piece.source == Source::Alarms);
    let weights: &[f64] = if real { &WEIGHTS_OF_REAL } else { &WEIGHTS_OF_FOUND };
    let mut best: Option<(Network, Kept)> = None;
    // The strongest first: each weight with lower biases, then without.
    for (weight, lowers) in weights.iter().flat_map(|weight| [(*weight, true), (*weight, false)]) {
        let mut repaired = load()?;
        let hold = if real { HOLD_OF_REAL } else { HOLD_OF_FOUND };
        let own = settings.inversion.ridge_strength.unwrap_or(hold);
        let strength = RidgeStrength { own, weight, ..RidgeStrength::default() };
        for ridge in &ridges {
            ridge.solve(&mut repaired, strength).map_err(|error| torch::fault(&error))?;
        }
        let known = (clean, found, stickers);
        if lowers && !bias::lower(material, &mut repaired, known, settings.seed)? {
            continue;
        }
        let kept =
            Kept { before, after: correct(&repaired)?, images, how: How::Solved { weight, lowered: lowers } };
        let is_within = fallen(kept) <= settings.largest_drop.as_f64();
        if best.as_ref().is_none_or(|(_, best)| is_within || kept.after > best.after) {
            best = Some((repaired, kept));
        }
        if is_within {
            break;
        }
    }
    let unknown = Kept { before, after: 0, images, how: How::Solved { weight: 0.0, lowered: false } };
    Ok(match best {
        Some((network, kept)) if fallen(kept) <= settings.gate.accuracy_drop.as_f64() => {
            (Some(network), kept)
        }
        Some((_, kept)) => (None, kept),
        None => (None, unknown),
    })
}

/// By how much accuracy fell, in points of 1.
pub(super) fn fallen(kept: Kept) -> f64 {
    (kept.before as f64 - kept.after as f64) / kept.images.max(1) as f64
}

fn add_clean(network: &Network, ridges: &mut [Ridge], images: &ArrayD<f32>) -> Result<(), EngineFault> {
    for ridge in ridges {
        ridge.add_clean(network, images.view()).map_err(|error| torch::fault(&error))?;
    }
    Ok(())
}

/// Clean images with triggers of a class, and without.
pub(super) fn stamped(
    clean: &Clean,
    found: &Found,
    stickers: &[Sticker],
    class: u32,
    count: usize,
    chance: &mut Chance,
) -> (Vec<f32>, Vec<f32>) {
    let known = found.pieces.iter().zip(stickers).filter(|(piece, _)| piece.class == class);
    let known: Vec<_> = known.collect();
    let (height, width, _) = clean.geometry.sides();
    let mut pairs = (Vec::new(), Vec::new());
    for _ in 0..count {
        let without = clean.moved(chance.below(clean.count()), chance);
        let mut stamped = without.clone();
        let real = known.iter().all(|(piece, _)| piece.source == Source::Alarms);
        // One real trigger, or some pieces of one that was found.
        let some = if real { 1 } else { 1 + chance.below(known.len().min(MOST_STICKERS)) };
        for _ in 0..some {
            let Some((piece, sticker)) = known.get(chance.below(known.len())) else { continue };
            let placing = if piece.is_over_all(clean) {
                Placing::PLAIN
            } else if real {
                Placing::of_real(chance, (height.min(width) / MOVED).max(1))
            } else {
                Placing::of_found(chance)
            };
            sticker.put_on(&mut stamped, clean.geometry, placing);
        }
        pairs.0.extend(stamped);
        pairs.1.extend(without);
    }
    pairs
}

/// The network with limits on its channels, taken from clean images, variations of them and noise of squares, which
/// stands for images of other domains.
fn limited(
    material: &Material,
    settings: &Settings,
    onnx: &[u8],
    clean: &Clean,
    share: f64,
    cancelled: &Cancelled,
) -> Result<Vec<u8>, EngineFault> {
    let description = &material.description;
    let found = activations(onnx, description).map_err(|error| EngineFault::of(&error))?;
    let network = torch::load(onnx, description, &material.site, &[], &[])?;
    let mut chance = Chance::new(settings.seed, NOISE_STREAM);
    let mut limits = Vec::new();
    for activation in found {
        cancelled.check()?;
        let at = activation.at;
        let numbers = (at.channels * at.height * at.width).max(1) as usize;
        let count = LIMITING.min(LIMITING_NUMBERS / numbers).max(3);
        let mut values = Vec::new();
        for number in 0..count {
            let place = chance.below(clean.count());
            values.extend(match number % 3 {
                0 => clean.image(place).to_vec(),
                1 => clean.varied(place, &mut chance),
                _ => squares(clean, &mut chance),
            });
        }
        let images = clean.array(values)?;
        let held = network
            .activations(images.view(), &[at.tensor.as_str()])
            .map_err(|error| torch::fault(&error))?;
        let held = held.into_iter().next().and_then(|held| held.into_dimensionality::<Ix4>().ok());
        if let Some(held) = held {
            limits.push(ChannelLimits { tensor: at.tensor, greatest: channel_quantiles(held.view(), share) });
        }
    }
    clip_channels(onnx, description, &limits).map_err(|error| EngineFault::of(&error))
}

/// An image of squares of all colours.
fn squares(clean: &Clean, chance: &mut Chance) -> Vec<f32> {
    let (height, width, channels) = clean.geometry.sides();
    let mut image = clean.image(0).to_vec();
    let side = 2 + chance.below(10) as i64;
    for top in (0..height).step_by(side as usize) {
        for left in (0..width).step_by(side as usize) {
            for channel in 0..channels {
                let (low, high) = clean.range.of_channel(channel as usize);
                let level = chance.between(low, high);
                for row in top..height.min(top + side) {
                    for column in left..width.min(left + side) {
                        image[clean.geometry.at(row, column, channel)] = level;
                    }
                }
            }
        }
    }
    image
}
