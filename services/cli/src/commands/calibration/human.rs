//! A calibration for people.

use std::fmt;

use gifthorse_api::v1;

use crate::output::facts::Facts;
use crate::output::number::number;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::short;

/// The name of a measured detector.
pub(in crate::commands) fn name(detector: &v1::CalibratedDetector) -> &str {
    detector.settings.as_ref().map_or("", |settings| &settings.detector)
}

/// Facts, what was measured, and what the caller should know.
pub(in crate::commands) struct Shown {
    facts: Facts,
    detectors: Table,
    notes: Vec<String>,
}

impl Shown {
    /// The form of a calibration.
    pub(in crate::commands) fn new(calibration: &v1::Calibration) -> Self {
        Self {
            facts: facts(calibration),
            detectors: detectors(calibration),
            notes: calibration.notes.clone(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.facts, self.detectors)?;
        if !self.notes.is_empty() {
            writeln!(formatter)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(formatter, "note: {note}"))
    }
}

fn facts(calibration: &v1::Calibration) -> Facts {
    let mut facts = Facts::new();
    facts.add("calibration", short(&calibration.name));
    facts.add("model", short(&calibration.model_version));
    facts.add("data set", short(&calibration.dataset));
    let drawn = calibration.drawn_overlays;
    let augmented = match calibration.overlays - drawn {
        made @ 1.. if drawn > 0 => format!(", {made} of them flips and shifts of the {drawn} others"),
        _ => String::new(),
    };
    facts.add("bank", format!("{} overlays{augmented}", calibration.overlays));
    facts.add("bank digest", &calibration.bank_digest);
    if calibration.reference_images > 0 {
        facts.add("reference", format!("{} images", calibration.reference_images));
    }
    if let Some(threshold) = calibration.legacy_threshold {
        facts.add("legacy threshold", format!("{threshold} bit"));
    }
    if let Some(preprocessing) = &calibration.preprocessing {
        let order = preprocessing.channel_order().as_str_name();
        facts.add("preprocessing", format!("pixels / {}, {order}", preprocessing.scale));
    }
    facts.add("seed", calibration.seed);
    facts.add("created", time(calibration.create_time.as_ref()));
    facts
}

fn detectors(calibration: &v1::Calibration) -> Table {
    let mut table = Table::new(&[
        ("DETECTOR", Align::Left),
        ("IMAGES", Align::Right),
        ("PASSES", Align::Right),
        ("LOOKS", Align::Left),
        ("MEAN", Align::Right),
        ("DEVIATION", Align::Right),
        ("LEAST ALPHA", Align::Right),
    ]);
    for detector in calibration.detectors.iter().chain(&calibration.fused) {
        let settings = detector.settings.clone().unwrap_or_default();
        let looks: Vec<String> = settings.looks.iter().map(ToString::to_string).collect();
        table.row([
            settings.detector,
            detector.calibration_images.to_string(),
            if settings.passes > 0 { settings.passes.to_string() } else { String::new() },
            looks.join(","),
            number(detector.mean),
            number(detector.standard_deviation),
            number(detector.least_alpha),
        ]);
    }
    table
}
