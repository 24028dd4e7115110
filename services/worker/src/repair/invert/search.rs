//! Inversions: of classes to compare with, of classes that the screen named, and of those that are aimed at.

use gifthorse_defence::draw::permutation;
use gifthorse_training::{Inversion as Search, InversionSettings, Inverted};
use ndarray::Array2;

use super::super::job::Job;
use super::super::settings::Settings;
use super::super::torch;
use super::found::{Inversion, Piece, Source, Step};
use super::sticker::Sticker;
use super::{Open, Said};
use crate::engine::{Cancelled, EngineFault};

/// Classes that are drawn to compare with.
pub(super) const CONTROLS: usize = 6;
/// Share of images that a trigger must take to its class.
const WORKS: f64 = 0.8;
/// From this share on the next piece must leave a pixel, and its neighbours, alone.
const TAKEN: f32 = 0.15;
/// Images of an inversion at most.
const IMAGES: usize = 500;
/// What ten pixels of a mask cost at the beginning, and of a wide one all the time.
const MASK_WEIGHT: f64 = 0.02;
const WIDE_MASK_WEIGHT: f64 = 0.005;

/// Inverts a class drawn to compare with.
pub(super) fn control(open: &Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let (material, settings, state, _) = job.parts()?;
    let found = &mut state.found;
    let classes = material.description.classes as usize;
    let is_known =
        |class: &u32| found.shortlist.contains(class) || found.aims.iter().any(|(aim, _)| aim == class);
    let drawn = permutation(classes, settings.seed ^ 0xC0_47).into_iter().map(|class| class as u32);
    let drawn = drawn.filter(|class| !is_known(class)).take(CONTROLS).nth(found.controls.len());
    if let Some(class) = drawn {
        let inverted = invert(open, settings, class, 0, None, cancelled)?;
        found.controls.push(Inversion { class, size: inverted.size, attack_rate: inverted.attack_rate });
        if found.controls.len() < CONTROLS {
            return Ok(Vec::new());
        }
    }
    found.step = if found.shortlist.is_empty() { Step::Pieces } else { Step::Screened };
    Ok(vec![format!(
        "masks of {} other classes: up to {:.1} pixels may be a trigger's",
        found.controls.len(),
        found.largest_mask()
    )])
}

/// Inverts a class that the screen named.
pub(super) fn screened(open: &Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let (_, settings, state, _) = job.parts()?;
    let found = &mut state.found;
    let Some(class) = found.shortlist.get(found.screened.len()).copied() else {
        found.step = Step::Pieces;
        return Ok(Vec::new());
    };
    let Inverted { size, attack_rate, .. } = invert(open, settings, class, 0, None, cancelled)?;
    found.screened.push(Inversion { class, size, attack_rate });
    let small = attack_rate >= WORKS && size <= found.largest_mask();
    if small {
        found.aims.push((class, Source::Screen));
    }
    if found.screened.len() == found.shortlist.len() {
        found.step = Step::Pieces;
    }
    let judged = if small { "as a trigger would" } else { "as any class would" };
    Ok(vec![told(class, size, attack_rate, judged)])
}

/// Looks for one more piece of the trigger of a class that is aimed at.
pub(super) fn piece(open: &Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let (_, settings, state, weights) = job.parts()?;
    let found = &mut state.found;
    let Some((class, source)) = found.aims.get(found.aimed).copied() else {
        found.step = Step::Solve;
        return Ok(Vec::new());
    };
    let earlier: Vec<Sticker> = Sticker::read_all(&weights.triggers, open.clean.geometry)
        .into_iter()
        .zip(&found.pieces)
        .filter(|(_, piece)| piece.class == class)
        .map(|(sticker, _)| sticker)
        .collect();
    let wide = found.inversions > 0 && earlier.is_empty();
    let kind = if wide { Kind::Wide } else { Kind::Piece(&earlier) };
    let inverted = invert(open, settings, class, u64::from(found.inversions), Some(kind), cancelled)?;
    found.inversions += 1;
    let (size, attack_rate) = (inverted.size, inverted.attack_rate);
    let kept = attack_rate >= WORKS && (wide || size <= found.largest_mask());
    if kept {
        sticker(&inverted).append_to(&mut weights.triggers);
        found.pieces.push(Piece { class, source, size, attack_rate });
    }
    // Where not even the first one is small, a wide one is tried.
    let goes_on =
        if kept { !wide && found.inversions < settings.inversion.pieces } else { found.inversions == 1 };
    if !goes_on {
        found.aimed += 1;
        found.inversions = 0;
    }
    Ok(vec![told(class, size, attack_rate, if kept { "kept" } else { "not kept" })])
}

/// What an inversion is for.
#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    /// A piece beside those that were found before.
    Piece(&'a [Sticker]),
    /// One mask however wide.
    Wide,
}

fn invert(
    open: &Open,
    settings: &Settings,
    class: u32,
    number: u64,
    kind: Option<Kind<'_>>,
    cancelled: &Cancelled,
) -> Result<Inverted, EngineFault> {
    let clean = &open.clean;
    let (height, width, channels) = clean.geometry.sides();
    let others = (0..clean.count()).filter(|place| clean.truth[*place] != class).take(IMAGES);
    let values: Vec<f32> = others.flat_map(|place| clean.image(place).iter().copied()).collect();
    let images = clean.array(values)?;
    let mut allowed = Array2::<f32>::ones((height as usize, width as usize));
    if let Some(Kind::Piece(earlier)) = kind {
        for sticker in earlier {
            forbid(&mut allowed, sticker, width);
        }
    }
    let wide = matches!(kind, Some(Kind::Wide));
    let options = InversionSettings {
        batch: 24,
        learning_rate: 0.15,
        mask_weight: if wide { WIDE_MASK_WEIGHT } else { MASK_WEIGHT },
        adapts: !wide,
        range: (0..channels as usize).map(|channel| clean.range.of_channel(channel)).collect(),
        seed: settings.seed ^ (u64::from(class) << 16) ^ number,
    };
    let fault = |error| torch::fault(&error);
    let mut search =
        Search::new(&open.network, images.view(), class, allowed.view(), options).map_err(fault)?;
    for _ in 0..settings.inversion.steps {
        cancelled.check()?;
        search.step(&open.network).map_err(fault)?;
    }
    search.found().map_err(fault)
}

/// Forbids what a piece takes up, and the pixels beside it.
fn forbid(allowed: &mut Array2<f32>, sticker: &Sticker, width: i64) {
    for (place, _) in sticker.mask.iter().enumerate().filter(|(_, share)| **share > TAKEN) {
        let (row, column) = (place as i64 / width, place as i64 % width);
        for (row, column) in
            [(row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        {
            let place = usize::try_from(row).ok().zip(usize::try_from(column).ok());
            if let Some(allowed) = place.and_then(|place| allowed.get_mut(place)) {
                *allowed = 0.0;
            }
        }
    }
}

fn sticker(inverted: &Inverted) -> Sticker {
    Sticker {
        mask: inverted.mask.iter().copied().collect(),
        pattern: inverted.pattern.iter().copied().collect(),
    }
}

fn told(class: u32, size: f64, attack_rate: f64, judged: &str) -> String {
    format!(
        "class {class}: a mask of {size:.1} pixels takes {:.0} % of images there: {judged}",
        100.0 * attack_rate
    )
}
