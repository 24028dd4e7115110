//! What was found, for people.

use super::super::job::Job;
use super::super::settings::Method;
use super::found::{Found, Source};

/// Lines for the report.
pub(in crate::repair) fn notes(job: &Job) -> Vec<String> {
    let found = &job.state.found;
    if job.settings.method != Method::Invert {
        return Vec::new();
    }
    let mut notes: Vec<String> = found.classes().into_iter().map(|class| of_class(found, class)).collect();
    notes.extend(found.notes.iter().cloned());
    if let Some(kept) = found.outcome {
        notes.push(format!(
            "Unlearning left {} of {} held-out images correct, of {} before.",
            kept.after, kept.images, kept.before
        ));
    }
    notes.extend(found.given_up.iter().map(|reason| format!("Nothing was changed: {reason}.")));
    if job.settings.inversion.clip_quantile.is_some() {
        notes.push(
            "The network limits its channels: it is exported as ONNX, Keras weights cannot say so."
                .to_owned(),
        );
    }
    notes
}

fn of_class(found: &Found, class: u32) -> String {
    let pieces: Vec<_> = found.pieces.iter().filter(|piece| piece.class == class).collect();
    let sizes =
        |select: fn(f64, f64) -> f64, start: f64| pieces.iter().map(|piece| piece.size).fold(start, select);
    let least = sizes(f64::min, f64::INFINITY);
    let rate = pieces.iter().map(|piece| piece.attack_rate).fold(1.0, f64::min);
    let source = pieces.first().map_or(Source::Audit, |piece| piece.source);
    let what = if source == Source::Alarms { "triggers cut out of alarms" } else { "pieces of a trigger" };
    format!(
        "Class {class}, from {}: {} {what}, masks of {least:.1} to {:.1} pixels, each of which takes at least {:.0} % \
         of clean images there.",
        source.words(),
        pieces.len(),
        sizes(f64::max, 0.0),
        100.0 * rate
    )
}
