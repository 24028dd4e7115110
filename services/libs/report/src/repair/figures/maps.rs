//! What each channel of the layer puts out, on clean images and on each triggered set.

use std::collections::BTreeSet;

use crate::error::ReportError;
use crate::figures::heat_maps::{HeatMap, HeatMaps, HeatScale};
use crate::figures::{Figure, render};
use crate::format;
use crate::names::{self, FileNames};
use crate::picture::Picture;
use crate::repair::{ActivationMaps, CLEAN, RepairRecord};

/// Channels of a figure at most.
const MOST: usize = 600;
/// Rows and columns of a map at most; larger ones are thinned.
const LARGEST: usize = 64;

/// One figure a set, all with the same channels and the same colours.
pub(super) fn figures(record: &RepairRecord, names: &mut FileNames) -> Result<Vec<Figure>, ReportError> {
    let shown = shown(record);
    let values = record
        .activation_maps
        .iter()
        .flat_map(|maps| shown.iter().flat_map(|channel| of_channel(maps, *channel)));
    let scale = HeatScale::of(values);
    let figure = |maps| one(record, maps, &shown, scale, names);
    record.activation_maps.iter().map(figure).collect()
}

fn one(
    record: &RepairRecord,
    maps: &ActivationMaps,
    shown: &[usize],
    scale: HeatScale,
    names: &mut FileNames,
) -> Result<Figure, ReportError> {
    let pruned: BTreeSet<_> = record.pruned.iter().copied().collect();
    let tiles = shown.iter().map(|channel| HeatMap {
        number: *channel,
        picture: picture(maps, *channel, scale),
        framed: pruned.contains(channel),
    });
    let of_these = shown.iter().filter(|channel| pruned.contains(channel)).count();
    let legend = match of_these {
        0 => String::new(),
        count if shown.len() < maps.channels => format!("pruned: {count} of those shown"),
        count => format!("pruned: {count} of {}", maps.channels),
    };
    let drawing = HeatMaps::new(tiles.collect(), scale, legend);
    let set = names::dataset(&maps.set);
    let kind = if maps.set == CLEAN { "clean images".to_owned() } else { format!("triggered set {set}") };
    let title = format!("Activation maps, {kind}, layer {}", names::layer(&record.layer.name));
    let name = names.take(&["activation-maps", &set]);
    render::figure(name, title, caption(maps, shown.len(), scale), &drawing)
}

fn caption(maps: &ActivationMaps, shown: usize, scale: HeatScale) -> String {
    let (channels, height, width) = (maps.channels, maps.height, maps.width);
    let mut caption = format!(
        "Mean output over {} of each of the {channels} channels, {height} x {width} places a channel, with the \
         channel's number above. All sets have the same colours: compare the same channel between them.",
        format::images(maps.images)
    );
    if scale.is_root() {
        caption.push_str(" Colours go by square roots, so that faint channels are seen too.");
    }
    if shown < channels {
        let which = format!(
            " Only {shown} channels are shown: those whose means differ most between the sets, or are largest if \
             there is one set; all are in report.json."
        );
        caption.push_str(&which);
    }
    if height.max(width) > LARGEST {
        caption.push_str(" Maps are thinned.");
    }
    caption
}

/// The channels that are drawn, by number: all, or those that tell most of the trigger.
fn shown(record: &RepairRecord) -> Vec<usize> {
    let channels = record.layer.channels;
    if channels <= MOST {
        return (0..channels).collect();
    }
    let Some((first, others)) = record.activation_maps.split_first() else { return Vec::new() };
    let mean = |maps, channel| {
        let values = of_channel(maps, channel);
        values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64
    };
    let weight = |channel: usize| {
        let clean = mean(first, channel);
        let differences = others.iter().map(|maps| (mean(maps, channel) - clean).abs());
        differences.reduce(f64::max).unwrap_or(clean)
    };
    let mut ordered: Vec<(f64, usize)> = (0..channels).map(|channel| (weight(channel), channel)).collect();
    ordered.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    let mut shown: Vec<usize> = ordered.into_iter().take(MOST).map(|(_, channel)| channel).collect();
    shown.sort_unstable();
    shown
}

/// The map of one channel, row by row.
fn of_channel(maps: &ActivationMaps, channel: usize) -> &[f32] {
    let size = maps.height * maps.width;
    maps.values.get(channel * size..(channel + 1) * size).unwrap_or_default()
}

fn picture(maps: &ActivationMaps, channel: usize, scale: HeatScale) -> Picture {
    let values = of_channel(maps, channel);
    let (width, height) = (maps.width.min(LARGEST), maps.height.min(LARGEST));
    Picture::of_colours(width as u32, height as u32, |x, y| {
        let (column, row) = (x as usize * maps.width / width, y as usize * maps.height / height);
        scale.colour(values.get(row * maps.width + column).copied().unwrap_or_default().into())
    })
}
