//! What pruning did to the answers, channel by channel.

use std::fmt::Write;

use crate::error::ReportError;
use crate::figures::curves::{Axis, Curves, Form, Line, Look, Symbols};
use crate::figures::ticks::{percent, whole};
use crate::figures::{Figure, render, style};
use crate::format;
use crate::names::{self, FileNames};
use crate::repair::{CurvePoint, PublishedPoint, RepairRecord, words};

/// Triggered sets of the figure at most: as many as there are colours.
const MOST: usize = 6;

/// The figure; none without a curve.
pub(super) fn figure(record: &RepairRecord, names: &mut FileNames) -> Result<Option<Figure>, ReportError> {
    let Some(last) = record.curve.last() else { return Ok(None) };
    let published = record.published.iter().map(|point| point.channels);
    let end = published.chain([last.channels, 1]).max().unwrap_or(1);
    let drawing = Curves {
        x: Axis { label: "pruned channels".to_owned(), range: 0.0..end as f64, tick: whole },
        // A little more than all, so that lines along the edge are seen.
        y: Axis { label: "share of images".to_owned(), range: 0.0..1.02, tick: percent },
        lines: lines(record),
        symbols: symbols(&record.published),
        threshold: Some(record.choice.channels as f64),
        diagonal: false,
    };
    let title = format!("Pruning of {}, {}", names::layer(&record.layer.name), names::network(&record.model));
    let mut caption = format!(
        "Answers after so many channels were set to zero, the sleepiest first. The red line is the choice: {}.",
        words::channels(record.choice.channels)
    );
    if record.sets.len() > MOST {
        let _ = write!(caption, " Only the first {MOST} triggered sets are drawn; curve.csv has all.");
    }
    if !record.published.is_empty() {
        caption.push_str(" Crosses and triangles are figures of others; the table below names them.");
    }
    render::figure(names.take(&["prune-curve"]), title, caption, &drawing).map(Some)
}

fn lines(record: &RepairRecord) -> Vec<Line> {
    let clean = record.clean.scoring_images;
    let dataset = names::dataset(&record.clean.dataset);
    let label = format!("clean accuracy, {dataset}");
    let mut lines = vec![line(record, &label, style::CLEAN, clean, |point| Some(point.clean_correct))];
    for (index, set) in record.sets.iter().take(MOST).enumerate() {
        let label = format!("attack success, {}", names::dataset(&set.dataset));
        let hits = |point: &CurvePoint| point.triggered.get(index).map(|found| found.to_target);
        // Attacks often succeed alike: through the dashes of one line the other is seen.
        let look = if index % 2 == 0 { Look::Plain } else { Look::Dashed };
        lines.push(Line { look, ..line(record, &label, style::triggered(index), set.images, hits) });
    }
    lines
}

fn line(
    record: &RepairRecord,
    what: &str,
    colour: plotters::style::RGBColor,
    images: usize,
    hits: impl Fn(&CurvePoint) -> Option<usize>,
) -> Line {
    let place = |point: &CurvePoint| {
        let rate = hits(point)? as f64 / images.max(1) as f64;
        Some((point.channels as f64, rate))
    };
    let chosen = record.curve.iter().find(|point| point.channels == record.choice.channels);
    let mark = chosen.and_then(place).filter(|_| images > 0);
    let at =
        mark.map_or_else(String::new, |(_, rate)| format!(", {} at the choice", format::percent(rate, 0)));
    let points = if images > 0 { record.curve.iter().filter_map(place).collect() } else { Vec::new() };
    Line { label: format!("{what}, n = {images}{at}"), colour, points, mark, look: Look::Plain }
}

fn symbols(published: &[PublishedPoint]) -> Vec<Symbols> {
    let of = |label: &str, form, rate: fn(&PublishedPoint) -> Option<f64>| {
        let place = |point: &PublishedPoint| Some((point.channels as f64, rate(point)?));
        let points = published.iter().filter_map(place).collect();
        Symbols { label: label.to_owned(), colour: style::INK, form, points }
    };
    let both = [
        of("published clean accuracy", Form::Cross, |point| point.clean_accuracy),
        of("published attack success", Form::Triangle, |point| point.attack_success),
    ];
    both.into_iter().filter(|symbols| !symbols.points.is_empty()).collect()
}
