//! Which classes are looked at, and what the images of alarms give away.

use super::super::job::Job;
use super::super::material::Material;
use super::alarms;
use super::bands::Bands;
use super::found::{Found, Piece, Source, Step};
use super::pattern;
use super::screen;
use super::sticker::{Placing, Sticker};
use super::{Open, Said};
use crate::engine::{Cancelled, EngineFault};
use crate::repair::work::Piece as Time;

/// Suspects of the audit that are looked at, at most, and classes that the screen names.
const MOST_SUSPECTS: usize = 16;
const SHORTLIST: usize = 6;
/// Share of clean images that a trigger must take to its class.
const WORKS: f64 = 0.5;
/// Clean images that a trigger is tried on.
const TRIED: usize = 40;

/// Reads alarms for the length of a piece of work.
pub(super) fn locate(open: &mut Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let time = Time::begin();
    let (material, settings, state, _) = job.parts()?;
    if open.bands.is_none() && open.alarm_count() > 0 {
        open.bands = Some(Bands::new(material, &open.clean, settings.seed)?);
    }
    let found = &mut state.found;
    while found.alarms.len() < open.alarm_count() && !time.is_over() {
        cancelled.check()?;
        let Some(bands) = &open.bands else { break };
        found.alarms.push(bands.read(material, &open.clean, open.alarm(found.alarms.len()))?);
    }
    if found.alarms.len() < open.alarm_count() {
        return Ok(Vec::new());
    }
    found.step = Step::Stickers;
    let mut classes: Vec<u32> = found.alarms.iter().map(|alarm| alarm.class).collect();
    classes.sort_unstable();
    let counted = classes.chunk_by(|one, other| one == other);
    let said = counted.map(|same| format!("{} images to unlearn are answered class {}", same.len(), same[0]));
    Ok(said.collect())
}

/// Cuts triggers out of alarms for the length of a piece of work.
pub(super) fn extract(open: &Open, job: &mut Job) -> Said {
    let time = Time::begin();
    let (material, _, state, weights) = job.parts()?;
    let found = &mut state.found;
    while found.extracted < found.alarms.len() && !time.is_over() {
        let (index, clean) = (found.extracted, &open.clean);
        let alarm = found.alarms[index];
        found.extracted += 1;
        let cut_out = alarms::shared(index, &found.alarms, &open.alarms, clean);
        let band = alarms::band(&alarm, open.alarm(index), clean.geometry);
        for sticker in [cut_out, band].into_iter().flatten() {
            let attack_rate = works(open, material, &sticker, alarm.class)?;
            if attack_rate >= WORKS {
                let size = sticker.mask.iter().copied().map(f64::from).sum();
                sticker.append_to(&mut weights.triggers);
                found.pieces.push(Piece { class: alarm.class, source: Source::Alarms, size, attack_rate });
                break;
            }
        }
    }
    if found.extracted < found.alarms.len() {
        return Ok(Vec::new());
    }
    for (sticker, class, attack_rate) in patterns(open, material, found)? {
        let size = sticker.mask.len() as f64;
        sticker.append_to(&mut weights.triggers);
        found.pieces.push(Piece { class, source: Source::Alarms, size, attack_rate });
    }
    found.step = Step::Aims;
    if found.alarms.is_empty() {
        return Ok(Vec::new());
    }
    let shown = found.pieces.iter().filter(|piece| !piece.is_over_all(&open.clean)).count();
    let all = found.alarms.len();
    let mut said = vec![format!("of {all} images to unlearn, {shown} show a trigger that works on others")];
    said.extend(found.pieces.iter().filter(|piece| piece.is_over_all(&open.clean)).map(|piece| {
        let (class, percent) = (piece.class, 100.0 * piece.attack_rate);
        format!("what those of class {class} share all over takes {percent:.0} % of others there")
    }));
    let said = said.join("; ");
    found.notes.push(format!("{}{}.", said[..1].to_uppercase(), &said[1..]));
    Ok(vec![said])
}

/// Of each class of alarms that show no trigger one by one, what all of them together do.
fn patterns(
    open: &Open,
    material: &Material,
    found: &Found,
) -> Result<Vec<(Sticker, u32, f64)>, EngineFault> {
    let known = found.classes();
    let mut classes: Vec<u32> = found.alarms.iter().map(|alarm| alarm.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let mut patterns = Vec::new();
    for class in classes.into_iter().filter(|class| !known.contains(class)) {
        let places = (0..found.alarms.len()).filter(|place| found.alarms[*place].class == class);
        let images: Vec<&[f32]> = places.map(|place| open.alarm(place)).collect();
        let mut best: Option<(Sticker, u32, f64)> = None;
        for sticker in pattern::candidates(&images, &open.clean) {
            let rate = works(open, material, &sticker, class)?;
            if rate >= WORKS && best.as_ref().is_none_or(|(_, _, best)| rate > *best) {
                best = Some((sticker, class, rate));
            }
        }
        patterns.extend(best);
    }
    Ok(patterns)
}

/// The share of clean images of other classes that a sticker takes to a class.
fn works(open: &Open, material: &Material, sticker: &Sticker, class: u32) -> Result<f64, EngineFault> {
    let clean = &open.clean;
    let others = (0..clean.count()).filter(|place| clean.truth[*place] != class).take(TRIED);
    let places: Vec<usize> = others.collect();
    let mut reached = 0;
    for places in places.chunks(material.suspect.batch_rows()) {
        let mut values = Vec::new();
        for place in places {
            let mut image = clean.image(*place).to_vec();
            sticker.put_on(&mut image, clean.geometry, Placing::PLAIN);
            values.extend(image);
        }
        let answers = material.suspect.answers(values).map_err(|error| EngineFault::of(&error))?;
        reached += answers.into_iter().filter(|answer| *answer == class).count();
    }
    Ok(reached as f64 / places.len().max(1) as f64)
}

/// Names the classes whose triggers have to be inverted. Triggered sets have no say: they only report.
pub(super) fn choose(open: &Open, job: &mut Job, cancelled: &Cancelled) -> Said {
    let suspects = job.assignment.model.record.specification.suspect_classes.clone();
    let (material, settings, state, _) = job.parts()?;
    let found = &mut state.found;
    let known = found.classes();
    let suspects = suspects.into_iter().flatten().map(|suspect| suspect.label).take(MOST_SUSPECTS);
    found.aims =
        suspects.filter(|class| !known.contains(class)).map(|class| (class, Source::Audit)).collect();
    if !found.aims.is_empty() {
        found.step = Step::Controls;
        let classes: Vec<String> = found.aims.iter().map(|(class, _)| class.to_string()).collect();
        return Ok(vec![format!("the audit of the output layer names class {}", classes.join(", "))]);
    }
    if !known.is_empty() {
        found.step = Step::Solve;
        return Ok(Vec::new());
    }
    found.shortlist = screen::shortlist(material, &open.clean, settings.seed, SHORTLIST, cancelled)?;
    found.step = Step::Controls;
    let classes: Vec<String> = found.shortlist.iter().map(ToString::to_string).collect();
    Ok(vec![format!("of all classes, patches lead most to {}", classes.join(", "))])
}
