//! Which figures an evaluation gets, and what their captions say.

use crate::detectors;
use crate::error::ReportError;
use crate::figures::curves::{Axis, Curves, Line, Look};
use crate::figures::histogram::{Histograms, Set, tick};
use crate::figures::ticks::percent;
use crate::figures::{Figure, grid, render, style};
use crate::format;
use crate::names::{self, FileNames};
use crate::picture::Picture;
use crate::record::{DetectorRecord, EvaluationRecord, IllustrationRecord};
use crate::statistics::{self, Bins, OperatingPoint, corners, operating_points, thinned};

/// Rows of the perturbation figure at most, of clean and of triggered images each.
const MOST_EXAMPLES: usize = 3;
/// Pictures of the evidence figure at most.
const MOST_EVIDENCE: usize = 8;

/// All figures of one evaluation, in the order of reading.
pub(crate) fn of_evaluation(
    evaluation: &EvaluationRecord,
    file_names: &mut FileNames,
) -> Result<Vec<Figure>, ReportError> {
    let mut planner = Planner { evaluation, network: names::network(&evaluation.network), file_names };
    let mut figures = Vec::new();
    figures.extend(planner.perturbation()?);
    figures.extend(planner.evidence()?);
    for detector in evaluation.detectors.iter().filter(|detector| is_drawn(detector)) {
        figures.push(planner.scores(detector)?);
        figures.extend(planner.curves(detector)?);
    }
    figures.extend(planner.passes()?);
    Ok(figures)
}

/// The detectors that are worth figures: those that decide, and the classic one.
fn is_drawn(detector: &DetectorRecord) -> bool {
    (detector.decides || detector.detector == "strip_entropy") && !detector.clean_scores.is_empty()
}

struct Planner<'a> {
    evaluation: &'a EvaluationRecord,
    network: String,
    file_names: &'a mut FileNames,
}

impl Planner<'_> {
    fn name(&mut self, parts: &[&str]) -> String {
        let network = self.network.clone();
        self.file_names.take(&[&[network.as_str()], parts].concat())
    }

    /// Image, overlay and blend, of clean and of triggered images.
    fn perturbation(&mut self) -> Result<Option<Figure>, ReportError> {
        let of_kind = |triggered: bool| {
            let complete = move |shown: &&IllustrationRecord| {
                shown.triggered == triggered
                    && shown.image.is_some()
                    && shown.overlay.is_some()
                    && shown.blend.is_some()
            };
            self.evaluation.illustrations.iter().filter(complete).take(MOST_EXAMPLES)
        };
        let clean = of_kind(false).map(example).collect::<Result<Vec<_>, _>>()?;
        let triggered = of_kind(true).map(example).collect::<Result<Vec<_>, _>>()?;
        let columns = if clean.is_empty() || triggered.is_empty() { 3 } else { 6 };
        // Clean and triggered examples stand side by side, as far as there are both.
        let mut rows = Vec::new();
        for row in 0..clean.len().max(triggered.len()) {
            let of_row = |examples: &[Vec<grid::Tile>]| examples.get(row).cloned().unwrap_or_default();
            rows.push([of_row(&clean), of_row(&triggered)].concat());
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let caption = "How STRIP perturbs an image: a clean picture of the bank is laid over it. The answer to \
                       a clean image changes with the overlay; that to a triggered one stays with the \
                       attacker's class. Pixels are enlarged without smoothing.";
        let name = self.name(&["perturbation"]);
        let title = format!("Perturbation, {}", self.network);
        let grid = grid::Grid { rows, columns };
        render::figure(name, title, caption.to_owned(), &grid).map(Some)
    }

    /// Where the evidence was, on triggered images.
    fn evidence(&mut self) -> Result<Option<Figure>, ReportError> {
        let marked = |shown: &&IllustrationRecord| {
            shown.triggered && shown.evidence.is_some() && shown.image.is_some()
        };
        let mut tiles = Vec::new();
        for shown in self.evaluation.illustrations.iter().filter(marked).take(MOST_EVIDENCE) {
            let mut words =
                vec![names::dataset(&shown.dataset), format!("image {}: {}", shown.index, shown.verdict)];
            words.push(format!("network says {}", shown.network_label));
            words.extend(shown.score.map(|score| format!("score {}", format::number(score))));
            words.extend(shown.p_value.map(|p| format!("p = {}", format::number(p))));
            tiles.extend(
                tile(shown.image.as_ref(), words)?.map(|tile| grid::Tile { mark: shown.evidence, ..tile }),
            );
        }
        if tiles.is_empty() {
            return Ok(None);
        }
        let caption = "The rectangle is the part of the triggered image that carried the attacker's class along \
                       when it was pasted onto clean images. A low score and a small p-value speak for a trigger.";
        let name = self.name(&["evidence"]);
        let title = format!("Where the evidence is, {}", self.network);
        let rows = tiles.chunks(4).map(<[_]>::to_vec).collect();
        render::figure(name, title, caption.to_owned(), &grid::Grid { rows, columns: 4 }).map(Some)
    }

    /// Histograms of one detector's scores.
    fn scores(&mut self, detector: &DetectorRecord) -> Result<Figure, ReportError> {
        let mut sets = vec![Set {
            label: format!("clean, {}", names::dataset(&self.evaluation.clean_dataset)),
            colour: style::CLEAN,
            values: detector.clean_scores.clone(),
        }];
        for (index, found) in
            detector.triggered.iter().enumerate().filter(|(_, found)| !found.scores.is_empty())
        {
            sets.push(Set {
                label: format!("triggered, {}", names::dataset(&found.dataset)),
                colour: style::triggered(index),
                values: found.scores.clone(),
            });
        }
        let mut all: Vec<f64> = sets.iter().flat_map(|set| set.values.iter().copied()).collect();
        all.extend(detector.threshold);
        let histograms = Histograms {
            axis: detectors::axis(&detector.detector),
            bins: Bins::real(&all),
            sets,
            threshold: detector.threshold,
        };
        let line = match (&detector.threshold, self.evaluation.alpha) {
            (Some(_), Some(alpha)) => format!(
                "The red line is the threshold for a nominal false rejection rate of {}, from {} calibration \
                 images; what lies left of it is rejected.",
                format::level(alpha),
                detector.calibration_scores.len()
            ),
            (Some(_), None) => "The red line is the threshold; what lies left of it is rejected.".to_owned(),
            (None, _) => format!(
                "There is no threshold: {}",
                detector.refusal.as_deref().unwrap_or("the calibration supports none")
            ),
        };
        let caption =
            format!("Exact scores of {}, share of each set's images by score. {line}", detector.detector);
        let name = self.name(&[&detector.detector, "scores"]);
        let title = format!("Scores of {}, {}", names::detector(&detector.detector), self.network);
        render::figure(name, title, caption, &histograms)
    }

    /// Error rates against the threshold, against each other, and the ROC.
    fn curves(&mut self, detector: &DetectorRecord) -> Result<Vec<Figure>, ReportError> {
        let sets: Vec<_> = detector
            .triggered
            .iter()
            .enumerate()
            .map(|(index, found)| (index, found, operating_points(&detector.clean_scores, &found.scores)))
            .filter(|(_, _, points)| !points.is_empty())
            .collect();
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let clean = detector.clean_scores.len();
        let mut errors = vec![Line {
            label: format!("false rejections: clean, n = {clean}"),
            colour: style::CLEAN,
            points: steps(&sets[0].2, |point| point.false_rejection),
            mark: None,
            look: Look::Plain,
        }];
        let (mut trade, mut roc) = (Vec::new(), Vec::new());
        for (index, found, points) in &sets {
            let set = names::dataset(&found.dataset);
            let n = found.scores.len();
            let colour = style::triggered(*index);
            let here = detector
                .threshold
                .map(|threshold| rates_at(threshold, &detector.clean_scores, &found.scores));
            let line = |label: String, place: fn(f64, f64) -> (f64, f64)| Line {
                label,
                colour,
                points: {
                    let place = |point: &OperatingPoint| place(point.false_rejection, point.false_acceptance);
                    thinned(&corners(&points.iter().map(place).collect::<Vec<_>>()))
                },
                mark: here.map(|(rejection, acceptance)| place(rejection, acceptance)),
                look: Look::Plain,
            };
            errors.push(Line {
                label: format!("false acceptances: {set}, n = {n}"),
                colour,
                points: steps(points, |point| point.false_acceptance),
                mark: None,
                look: Look::Plain,
            });
            let at = here.map_or_else(String::new, |(rejection, acceptance)| {
                let (rejection, acceptance) =
                    (format::percent(rejection, clean as u64), format::percent(acceptance, n as u64));
                format!("; at the threshold FRR {rejection}, FAR {acceptance}")
            });
            trade.push(line(format!("{set}, n = {n}{at}"), |rejection, acceptance| {
                (rejection.sqrt(), acceptance.sqrt())
            }));
            let area = found
                .auroc
                .and_then(|area| statistics::area(area, clean, n))
                .map_or_else(String::new, |area| {
                    format!(", AUROC {:.3} ({:.3} to {:.3})", area.estimate, area.lower, area.upper)
                });
            roc.push(line(format!("{set}, n = {n}{area}"), |rejection, acceptance| {
                (rejection, 1.0 - acceptance)
            }));
        }
        self.three(detector, errors, trade, roc)
    }

    fn three(
        &mut self,
        detector: &DetectorRecord,
        errors: Vec<Line>,
        trade: Vec<Line>,
        roc: Vec<Line>,
    ) -> Result<Vec<Figure>, ReportError> {
        let what = &names::detector(&detector.detector);
        let clean = detector.clean_scores.len();
        let rate =
            |label: &str, tick: fn(f64) -> String| Axis { label: label.to_owned(), range: 0.0..1.0, tick };
        let points = errors.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
        let x: Vec<f64> = points.chain(detector.threshold).collect();
        let bins = Bins::real(&x);
        let threshold_axis =
            Axis { label: detectors::axis(&detector.detector), range: bins.start..bins.end(), tick };
        let errors = Curves {
            x: threshold_axis,
            y: rate("error rate", percent),
            lines: errors,
            symbols: Vec::new(),
            threshold: detector.threshold,
            diagonal: false,
        };
        let trade = Curves {
            x: rate("false rejections, FRR (square-root scale)", percent_of_root),
            y: rate("false acceptances, FAR (square-root scale)", percent_of_root),
            lines: trade,
            symbols: Vec::new(),
            threshold: None,
            diagonal: false,
        };
        let roc = Curves {
            x: rate("clean images rejected, FRR", percent),
            y: rate("triggered images rejected, 1 - FAR", percent),
            lines: roc,
            symbols: Vec::new(),
            threshold: None,
            diagonal: true,
        };
        let line = if detector.threshold.is_some() { " The red line is the threshold in use." } else { "" };
        let dot = if detector.threshold.is_some() { " The dots are the threshold in use." } else { "" };
        let plans = [
            (
                "rates",
                "Error rates by threshold",
                format!(
                    "Both error rates of {what} for every threshold: moving it to the right rejects more trojans \
                     and more clean images.{line}"
                ),
                errors,
            ),
            (
                "frr-far",
                "False rejections against false acceptances",
                format!(
                    "What {what} lets through for what it costs, every threshold; lower left is better. The axes \
                     are drawn by square roots to show small rates; with {clean} clean images the FRR moves in \
                     steps of {}.{dot}",
                    format::percent(1.0 / clean.max(1) as f64, 1_000)
                ),
                trade,
            ),
            (
                "roc",
                "ROC",
                format!(
                    "Receiver operating characteristic of the exact scores of {what}. The area (AUROC) is the \
                     chance that a triggered image scores below a clean one, ties counting half; its 95 % interval \
                     (Hanley and McNeil, Newcombe's method 5) stands in brackets. The grey line is guessing.{dot}"
                ),
                roc,
            ),
        ];
        let mut figures = Vec::new();
        for (kind, title, caption, curves) in plans {
            let name = self.name(&[what, kind]);
            figures.push(render::figure(
                name,
                format!("{title}: {what}, {}", self.network),
                caption,
                &curves,
            )?);
        }
        Ok(figures)
    }

    /// Passes that early stopping took.
    fn passes(&mut self) -> Result<Option<Figure>, ReportError> {
        let floats = |passes: &[u32]| passes.iter().copied().map(f64::from).collect::<Vec<_>>();
        let mean = |passes: &[u32]| {
            statistics::mean(passes).map_or_else(String::new, |(mean, half)| {
                let half = half.map_or_else(String::new, |half| format!(" ± {half:.1}"));
                format!(", mean {mean:.1}{half}")
            })
        };
        let mut sets = Vec::new();
        if !self.evaluation.clean_passes.is_empty() {
            let passes = &self.evaluation.clean_passes;
            let dataset = names::dataset(&self.evaluation.clean_dataset);
            let label = format!("clean, {dataset}{}", mean(passes));
            sets.push(Set { label, colour: style::CLEAN, values: floats(passes) });
        }
        for (index, set) in
            self.evaluation.triggered.iter().enumerate().filter(|(_, set)| !set.passes.is_empty())
        {
            let label = format!("triggered, {}{}", names::dataset(&set.dataset), mean(&set.passes));
            sets.push(Set { label, colour: style::triggered(index), values: floats(&set.passes) });
        }
        if sets.is_empty() {
            return Ok(None);
        }
        let all: Vec<f64> = sets.iter().flat_map(|set| set.values.iter().copied()).collect();
        let axis = "forward passes of the network for one image".to_owned();
        let histograms = Histograms { axis, bins: Bins::whole(&all), sets, threshold: None };
        let caption = "How many forward passes the verdict took with early stopping, share of each set's images. \
                       The means stand with their 95 % intervals.";
        let name = self.name(&["passes"]);
        let title = format!("Passes, {}", self.network);
        render::figure(name, title, caption.to_owned(), &histograms).map(Some)
    }
}

/// Image, overlay and blend of one illustration.
fn example(shown: &IllustrationRecord) -> Result<Vec<grid::Tile>, ReportError> {
    let (kind, blend) =
        if shown.triggered { ("triggered", "triggered blend") } else { ("background", "blend") };
    let source = format!("image {}", shown.index);
    let answer = format!("network says {}", shown.network_label);
    let words = vec![kind.to_owned(), names::dataset(&shown.dataset), source, answer];
    let pictures = [
        (&shown.image, words),
        (&shown.overlay, vec!["overlay".to_owned()]),
        (&shown.blend, vec![blend.to_owned()]),
    ];
    let mut tiles = Vec::new();
    for (picture, words) in pictures {
        tiles.extend(tile(picture.as_ref(), words)?);
    }
    Ok(tiles)
}

fn tile(picture: Option<&String>, words: Vec<String>) -> Result<Option<grid::Tile>, ReportError> {
    let Some(text) = picture else { return Ok(None) };
    Ok(Some(grid::Tile { picture: Picture::of_base64(text)?, mark: None, words }))
}

/// FRR and FAR at a threshold.
fn rates_at(threshold: f64, clean: &[f64], triggered: &[f64]) -> (f64, f64) {
    let below = |scores: &[f64]| {
        scores.iter().filter(|score| **score < threshold).count() as f64 / scores.len().max(1) as f64
    };
    (below(clean), 1.0 - below(triggered))
}

/// A rate as a function of the threshold: it holds up to the point's threshold and jumps there.
fn steps(points: &[OperatingPoint], rate: fn(&OperatingPoint) -> f64) -> Vec<(f64, f64)> {
    let mut line = Vec::new();
    for point in points {
        let end = line.last().map(|(x, _)| *x);
        let x = point.threshold.or(end).unwrap_or_default();
        line.extend(end.map(|end| (end, rate(point))));
        line.push((x, rate(point)));
    }
    thinned(&corners(&line))
}

fn percent_of_root(root: f64) -> String {
    percent(root * root)
}
