//! How a verdict on one input is made: the parts that decide, their findings, and what follows from them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use gifthorse_api::v1;
use gifthorse_defence::conformal::PValue;
use gifthorse_defence::level::Share;
use gifthorse_defence::region::Region;
use gifthorse_defence::sequential::{PValueBound, ScoreSoFar, StopReason, StopRule};
use gifthorse_defence::strip::Votes;
use gifthorse_defence::{Reading, Subject};
use ndarray::{Array3, Axis};

use crate::calibration::{Built, Part};
use crate::error::DetectorError;
use crate::network::{Run, Watched};

/// What decides about a network's inputs.
#[derive(Clone)]
pub(crate) struct Decision {
    /// `policies/NAME/versions/VERSION`; empty when a calibration was named.
    pub(crate) policy: String,
    pub(crate) network: Arc<Watched>,
    /// The parts and their shares of the budget, which add up to the whole.
    pub(crate) parts: Vec<(Part, Share)>,
}

/// What one detector, or several together, found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) detector: String,
    pub(crate) calibration: String,
    pub(crate) score: f64,
    pub(crate) score_is_bound: bool,
    pub(crate) p_value: f64,
    pub(crate) p_value_is_bound: bool,
    pub(crate) threshold: f64,
    /// Zero for what takes part in a fused score only.
    pub(crate) alpha: f64,
    pub(crate) rejected: bool,
    pub(crate) passes: usize,
    pub(crate) stop: v1::detector_finding::StopReason,
    pub(crate) votes: Option<Votes>,
    /// On a picture of the input's size.
    pub(crate) evidence: Option<Region>,
}

/// The verdict on one input.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub(crate) network_label: usize,
    pub(crate) trojaned: bool,
    pub(crate) p_value: f64,
    pub(crate) p_value_is_bound: bool,
    /// Those that decide, each followed by what it is made of.
    pub(crate) findings: Vec<Finding>,
    /// Passes in all, the one for the network's own answer left out.
    pub(crate) passes: usize,
}

/// Readings that were made for this input, by calibration and place.
type Readings = HashMap<(String, usize), Reading>;

impl Decision {
    /// Judges one prepared input. Exact: no scan stops early.
    pub(crate) fn judge(
        &self,
        run: &Run,
        image: &Array3<f32>,
        exact: bool,
    ) -> Result<Judgement, DetectorError> {
        let subjects = Subject::of(run, image.view().insert_axis(Axis(0)))?;
        let subject = subjects.first().ok_or(DetectorError::Internal("looking at an input"))?;
        let mut readings = Readings::new();
        let mut findings = Vec::new();
        let (mut combined, mut bound, mut trojaned, mut early) = (1.0_f64, false, false, 0);
        for (part, share) in &self.parts {
            let stopped = match (&part.rule, exact || self.needs_reading(part)) {
                (Some(rule), false) => Some(scanned(part, rule, run, image)?),
                _ => None,
            };
            let found = match stopped {
                Some(finding) => {
                    early += finding.passes;
                    vec![finding]
                }
                None => read(part, run, subject, &mut readings)?,
            };
            let decided = &found[0];
            trojaned |= decided.rejected;
            let (numerator, denominator) = share.ratio();
            let weighted = decided.p_value * denominator as f64 / numerator as f64;
            if weighted < combined {
                combined = weighted;
                bound = decided.p_value_is_bound;
            }
            findings.extend(found);
        }
        let passes = early + readings.values().map(passes_of).sum::<usize>();
        Ok(Judgement {
            network_label: subject.class(),
            trojaned,
            p_value: combined,
            p_value_is_bound: bound,
            findings,
            passes,
        })
    }

    /// Whether another part needs the exact score of this one's detector.
    fn needs_reading(&self, part: &Part) -> bool {
        self.parts.iter().any(|(other, _)| {
            other.fusion.is_some()
                && other.calibration.name() == part.calibration.name()
                && other.detectors.iter().any(|place| part.detectors.contains(place))
        })
    }
}

fn passes_of(reading: &Reading) -> usize {
    reading.passes.full + reading.passes.prefix + reading.passes.suffix
}

/// A scan of STRIP's entropy that may stop early.
fn scanned(part: &Part, rule: &StopRule, run: &Run, image: &Array3<f32>) -> Result<Finding, DetectorError> {
    use v1::detector_finding::StopReason as Stop;
    let Built::Entropy(entropy) = &part.calibration.detectors()[part.detectors[0]] else {
        return Err(DetectorError::Internal("stopping a scan early"));
    };
    let scan = entropy.scan(run, image.view(), rule)?;
    let stopped = scan.stopped;
    let sequential = match rule {
        StopRule::EarlyRejection(rule) => rule.p_value(stopped.reason),
        StopRule::Fixed { .. } | StopRule::Curtailed { .. } => None,
    };
    let (p_value, p_value_is_bound): (PValue, bool) = match sequential {
        Some(PValueBound::AtMost(p_value) | PValueBound::AtLeast(p_value)) => (p_value, true),
        None => (part.scores.p_value(stopped.score.value()), stopped.score.is_bound()),
    };
    let stop = match stopped.reason {
        StopReason::AllPasses => Stop::Exhausted,
        StopReason::DecidedClean | StopReason::AcceptedAtLook { .. } => Stop::AcceptedEarly,
        StopReason::RejectedAtLook { .. } => Stop::RejectedEarly,
    };
    Ok(Finding {
        rejected: stopped.verdict == gifthorse_defence::detector::Verdict::Trojaned,
        score: stopped.score.value(),
        score_is_bound: matches!(stopped.score, ScoreSoFar::AtLeast(_)),
        p_value: p_value.as_f64(),
        p_value_is_bound,
        passes: stopped.passes_used,
        stop,
        votes: Some(scan.votes),
        evidence: None,
        ..blank(part)
    })
}

/// The exact finding of a part, followed by those of the detectors it is fused from.
fn read(
    part: &Part,
    run: &Run,
    subject: &Subject,
    readings: &mut Readings,
) -> Result<Vec<Finding>, DetectorError> {
    let calibration = part.calibration.name().to_string();
    let shape = part.calibration.network.space().shape();
    for place in &part.detectors {
        let key = (calibration.clone(), *place);
        if let Entry::Vacant(vacant) = readings.entry(key) {
            let detector = part.calibration.detectors()[*place].detector();
            vacant.insert(detector.read(run, subject)?);
        }
    }
    let of = |place: &usize| &readings[&(calibration.clone(), *place)];
    let alone = |place: &usize, finding: Finding| {
        let reading = of(place);
        Finding {
            score: reading.score,
            passes: passes_of(reading),
            votes: reading.votes.clone(),
            evidence: reading.evidence.map(|evidence| evidence.on_picture(shape.height, shape.width)),
            ..finding
        }
    };
    let Some(fusion) = &part.fusion else {
        let finding = alone(&part.detectors[0], blank(part));
        let p_value = part.scores.p_value(finding.score).as_f64();
        let rejected = if part.by_class {
            other_class(of(&part.detectors[0]), subject.class())
        } else {
            part.threshold.rejects(finding.score)
        };
        return Ok(vec![Finding { p_value, rejected, ..finding }]);
    };
    let score = fusion.score(part.detectors.iter().map(|place| of(place).score));
    let members: Vec<Finding> = part
        .detectors
        .iter()
        .map(|place| {
            let name = part.calibration.contents().detectors[*place].name();
            let scores = part.calibration.calibration_scores(*place);
            let finding = alone(
                place,
                Finding { detector: name.to_owned(), alpha: 0.0, threshold: 0.0, ..blank(part) },
            );
            let below = scores.iter().filter(|other| **other <= finding.score).count();
            Finding { p_value: (1 + below) as f64 / (scores.len() + 1) as f64, ..finding }
        })
        .collect();
    let fused = Finding {
        score,
        p_value: part.scores.p_value(score).as_f64(),
        rejected: part.threshold.rejects(score),
        passes: members.iter().map(|finding| finding.passes).sum(),
        votes: members.iter().find_map(|finding| finding.votes.clone()),
        evidence: members.iter().find_map(|finding| finding.evidence),
        ..blank(part)
    };
    Ok(std::iter::once(fused).chain(members).collect())
}

/// Whether the votes of a reading, of which there are some, are all for other classes.
pub(crate) fn other_class(reading: &Reading, class: usize) -> bool {
    reading.votes.as_ref().is_some_and(|votes| votes.of_class(class) == 0)
}

fn blank(part: &Part) -> Finding {
    Finding {
        detector: part.name.clone(),
        calibration: part.calibration.name().to_string(),
        score: 0.0,
        score_is_bound: false,
        p_value: 1.0,
        p_value_is_bound: false,
        threshold: part.threshold.value(),
        alpha: part.level.as_f64(),
        rejected: false,
        passes: 0,
        stop: v1::detector_finding::StopReason::Exhausted,
        votes: None,
        evidence: None,
    }
}

impl Finding {
    /// As a message of the contract.
    pub(crate) fn message(&self, votes: bool) -> v1::DetectorFinding {
        let ranked = self.votes.as_ref().filter(|_| votes).map(Votes::ranked).unwrap_or_default();
        v1::DetectorFinding {
            detector: self.detector.clone(),
            score: self.score,
            score_is_bound: self.score_is_bound,
            p_value: self.p_value,
            p_value_is_bound: self.p_value_is_bound,
            threshold: self.threshold,
            alpha: self.alpha,
            rejected: self.rejected,
            passes_used: self.passes as i32,
            stop_reason: self.stop.into(),
            calibration: format!("calibrations/{}", self.calibration),
            votes: ranked
                .into_iter()
                .map(|(label, copies)| v1::ClassVotes { label: label as i32, copies: copies as i32 })
                .collect(),
            evidence: self.evidence.map(region_message),
            fault: String::new(),
        }
    }
}

/// A region of a picture.
pub(crate) fn region_message(region: Region) -> v1::Region {
    v1::Region {
        top: region.top as i32,
        left: region.left as i32,
        height: region.rows as i32,
        width: region.columns as i32,
    }
}

impl Judgement {
    /// As a message of the contract.
    pub(crate) fn message(&self, decision: &Decision, votes: bool) -> v1::ScanResponse {
        let verdict = if self.trojaned { v1::verdict::Kind::Trojaned } else { v1::verdict::Kind::Clean };
        v1::ScanResponse {
            detectors: self.findings.iter().map(|finding| finding.message(votes)).collect(),
            verdict: verdict.into(),
            p_value: self.p_value,
            p_value_is_bound: self.p_value_is_bound,
            policy: decision.policy.clone(),
            network_label: self.network_label as i32,
            model_version: decision.network.resource_name(),
        }
    }
}
