//! How the trainings went: their losses, and their accuracy on held-out clean images.

use plotters::style::RGBColor;

use crate::error::ReportError;
use crate::figures::curves::{Axis, Curves, Line, Look};
use crate::figures::stacked::Stacked;
use crate::figures::ticks::{number, percent, whole};
use crate::figures::{Figure, render, style};
use crate::names::{self, FileNames};
use crate::repair::{Epoch, RepairRecord, Training, TrainingRole};

/// Trainings of the figure at most: the candidates among them have a colour each.
const MOST: usize = 8;
/// Losses that differ by more than this factor are drawn by their logarithms.
const WIDE: f64 = 50.0;

/// The figure; none when no training has an epoch.
pub(super) fn figure(record: &RepairRecord, names: &mut FileNames) -> Result<Option<Figure>, ReportError> {
    let with_epochs: Vec<_> =
        record.trainings.iter().filter(|training| !training.epochs.is_empty()).collect();
    let drawn = drawn(&with_epochs);
    if drawn.is_empty() {
        return Ok(None);
    }
    let epochs = || drawn.iter().flat_map(|training| &training.epochs);
    let first = epochs().map(|epoch| epoch.epoch).min().unwrap_or_default();
    let last = epochs().map(|epoch| epoch.epoch).max().unwrap_or_default();
    let axis = || Axis {
        label: "epoch".to_owned(),
        range: f64::from(first)..f64::from(last.max(first + 1)),
        tick: whole,
    };
    let mut plots = vec![losses(&drawn, axis())];
    plots.extend(accuracies(&drawn, axis()));
    let title = format!("Trainings, {}", names::network(&record.model));
    let mut caption = "Mean loss of every epoch, and accuracy on held-out clean images after it; the dots are the \
                       last epochs. The thick line is the training that was chosen, dashes are the one of the \
                       network that was not pruned."
        .to_owned();
    if drawn.len() < record.trainings.len() {
        let words = format!(" {} of {} trainings are drawn.", drawn.len(), record.trainings.len());
        caption.push_str(&words);
    }
    let figure_name = names.take(&["training-curves"]);
    render::figure(figure_name, title, caption, &Stacked { plots }).map(Some)
}

/// The chosen training, the one without pruning, and candidates as far as there is room.
fn drawn<'a>(trainings: &[&'a Training]) -> Vec<&'a Training> {
    let of = |role| trainings.iter().copied().filter(move |training| training.role == role);
    let roles = [TrainingRole::Chosen, TrainingRole::FineTuneOnly, TrainingRole::Candidate];
    roles.into_iter().flat_map(of).take(MOST).collect()
}

fn losses(drawn: &[&Training], x: Axis) -> Curves {
    let all: Vec<f64> =
        drawn.iter().flat_map(|training| &training.epochs).map(|epoch| epoch.mean_loss).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let by_logarithm = low > 0.0 && high / low > WIDE;
    let place = move |loss: f64| if by_logarithm { loss.log10() } else { loss };
    let (start, end) = if by_logarithm { (low.log10(), high.log10()) } else { (low.min(0.0), high) };
    let room = ((end - start) * 0.04).max(1e-6);
    let lower = if start.to_bits() == 0 { 0.0 } else { start - room };
    let label = if by_logarithm { "mean loss (logarithmic)" } else { "mean loss" };
    let tick: fn(f64) -> String = if by_logarithm { of_logarithm } else { number };
    let y = Axis { label: label.to_owned(), range: lower..end + room, tick };
    curves(drawn, x, y, move |epoch| Some(place(epoch.mean_loss)))
}

fn accuracies(drawn: &[&Training], x: Axis) -> Option<Curves> {
    let known =
        || drawn.iter().flat_map(|training| &training.epochs).filter_map(|epoch| epoch.held_out_accuracy);
    let low = known().reduce(f64::min)?;
    // From a whole tenth, so that small differences are seen.
    let start = ((low * 10.0).floor() / 10.0 - 0.1).max(0.0);
    let y = Axis { label: "held-out accuracy".to_owned(), range: start..1.01, tick: percent };
    Some(curves(drawn, x, y, |epoch| epoch.held_out_accuracy))
}

fn curves(drawn: &[&Training], x: Axis, y: Axis, value: impl Fn(&Epoch) -> Option<f64>) -> Curves {
    let lines = drawn.iter().enumerate().map(|(index, training)| line(index, training, &value));
    Curves { x, y, lines: lines.collect(), symbols: Vec::new(), threshold: None, diagonal: false }
}

fn line(index: usize, training: &Training, value: impl Fn(&Epoch) -> Option<f64>) -> Line {
    let place = |epoch: &Epoch| Some((f64::from(epoch.epoch), value(epoch)?));
    let points: Vec<_> = training.epochs.iter().filter_map(place).collect();
    let name = names::training(&training.name);
    let (colour, look, role): (RGBColor, _, _) = match training.role {
        TrainingRole::Chosen => (style::CLEAN, Look::Plain, "chosen: "),
        TrainingRole::FineTuneOnly => (style::INK, Look::Dashed, "not pruned: "),
        TrainingRole::Candidate => (style::triggered(index), Look::Thin, ""),
    };
    let broken = if training.error.is_some() { ", broke off" } else { "" };
    let mark = points.last().copied();
    Line { label: format!("{role}{name}{broken}"), colour, points, mark, look }
}

fn of_logarithm(logarithm: f64) -> String {
    number(10.0_f64.powf(logarithm))
}
