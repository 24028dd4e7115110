//! Evaluations that nobody measured, for the tests and the sample report.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use gifthorse_api::v1::{
    DetectorEvaluation, DetectorTriggeredEvaluation, Evaluation, Illustration, ImageTensor, Interval, Region,
    ScoreList, TriggeredEvaluation, image_tensor::Content, verdict::Kind,
};
use gifthorse_defence::evaluation::{OperatingCurve, Proportion};
use gifthorse_defence::level::Level;

/// Numbers that look random and are the same everywhere.
struct Noise(u64);

impl Noise {
    /// The next number, 0..1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal.
    fn scores(&mut self, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
        let normal = |noise: &mut Self| (0..12).map(|_| noise.next()).sum::<f64>() - 6.0;
        (0..count).map(|_| mean + deviation * normal(self)).collect()
    }

    fn passes(&mut self, count: usize, low: i32, high: i32) -> Vec<i32> {
        (0..count).map(|_| low + (f64::from(high - low + 1) * self.next().powi(2)) as i32).collect()
    }
}

/// A proportion as the services send it.
pub(crate) fn interval(hits: usize, total: usize) -> Option<Interval> {
    let proportion = Proportion::new(hits, total).ok()?;
    let ends = proportion.wilson(Level::new(1, 20).unwrap());
    Some(Interval {
        estimate: proportion.rate(),
        lower: ends.low,
        upper: ends.high,
        confidence: 0.95,
        observations: total as i64,
    })
}

/// An evaluation on this many clean images and on sets of these names.
pub(crate) fn evaluation(network: &str, clean: usize, sets: &[&str]) -> Evaluation {
    let mut noise = Noise(network.len() as u64 + clean as u64);
    let triggered = 40;
    let effective: Vec<bool> = (0..triggered).map(|image| image % 13 != 5).collect();
    let detectors = vec![
        detector(&mut noise, "fused", true, 99, clean, sets, (0.0, 1.8, -7.0, 2.0)),
        detector(&mut noise, "strip_entropy", false, 99, clean, sets, (0.49, 0.11, 0.16, 0.06)),
        detector(&mut noise, "region_paste", false, 40, clean, sets, (-3.0, 2.0, -14.0, 3.0)),
    ];
    let of_set = |noise: &mut Noise, (index, set): (usize, &&str)| TriggeredEvaluation {
        dataset: format!("datasets/{set}"),
        target: index as i32,
        attack_success_rate: interval(37, triggered),
        residual_attack_success_rate: interval(index, triggered),
        robust_accuracy: interval(2, triggered),
        false_acceptance_rate: interval(3 + index, triggered),
        false_acceptance_rate_effective: interval(index, 37),
        auroc: 0.99 - index as f64 * 0.01,
        mean_passes: 18.0,
        passes: noise.passes(triggered, 8, 40),
        images: triggered as i64,
        effective: effective.clone(),
    };
    Evaluation {
        model_version: network.to_owned(),
        policy: "policies/default/versions/1".to_owned(),
        calibrations: vec!["calibrations/c0ffee".to_owned()],
        clean_accuracy: interval(clean * 97 / 100, clean),
        guarded_clean_accuracy: interval(clean * 95 / 100, clean),
        false_rejection_rate: interval(clean / 80, clean),
        triggered: sets.iter().enumerate().map(|set| of_set(&mut noise, set)).collect(),
        mean_passes_clean: 52.0,
        detectors,
        seconds: 12.5,
        alpha: 0.01,
        confidence: 0.0,
        clean_dataset: "datasets/faces".to_owned(),
        clean_images: clean as i64,
        class_count: 1283,
        clean_passes: noise.passes(clean, 20, 70),
        illustrations: illustrations(sets.first().copied()),
        seconds_per_scan: 0.0125,
        notes: vec!["2 images of faces were left out: the calibration was made from them".to_owned()],
    }
}

fn detector(
    noise: &mut Noise,
    name: &str,
    decides: bool,
    calibration: usize,
    clean: usize,
    sets: &[&str],
    (mean, deviation, low, low_deviation): (f64, f64, f64, f64),
) -> DetectorEvaluation {
    let mut calibration_scores = noise.scores(calibration, mean, deviation);
    calibration_scores.sort_by(f64::total_cmp);
    let refused = calibration < 99;
    let threshold = if refused { 0.0 } else { calibration_scores[0] };
    let clean_scores = noise.scores(clean, mean, deviation);
    let lists: Vec<ScoreList> = sets
        .iter()
        .enumerate()
        .map(|(index, set)| ScoreList {
            dataset: format!("datasets/{set}"),
            scores: noise.scores(40, low + (mean - low) * 0.2 * index as f64, low_deviation),
        })
        .collect();
    let of_list = |list: &ScoreList| DetectorTriggeredEvaluation {
        dataset: list.dataset.clone(),
        auroc: OperatingCurve::of(&clean_scores, &list.scores).unwrap().area(),
        false_acceptance_rate: interval(list.scores.iter().filter(|score| **score >= threshold).count(), 40),
        false_acceptance_rate_effective: None,
    };
    DetectorEvaluation {
        detector: name.to_owned(),
        threshold,
        false_rejection_rate: interval(
            clean_scores.iter().filter(|score| **score < threshold).count(),
            clean,
        ),
        triggered: lists.iter().map(of_list).collect(),
        clean_scores,
        triggered_scores: lists,
        decides,
        passes: 70,
        calibration_scores,
        refusal: if refused { "40 calibration inputs, needs 99".to_owned() } else { String::new() },
    }
}

/// A face of 55 x 47 pixels, drawn by a child; with sunglasses on request.
fn face(shift: i32, sunglasses: bool) -> Vec<u8> {
    let mut data = Vec::new();
    for y in 0..55_i32 {
        for x in 0..47_i32 {
            let (dx, dy) = (x - 23, (y - 28) * 3 / 4);
            let inside = dx * dx + dy * dy < 330;
            let eye = (y - 22).pow(2) + ((x - 23).abs() - 8).pow(2) < 6;
            let mouth = (38..41).contains(&y) && dx.abs() < 8 + shift;
            let glasses = sunglasses && (18..27).contains(&y) && dx.abs() < 17 && dx.abs() > 1;
            let colour = match () {
                () if glasses => [15, 15, 20],
                () if eye => [40, 30, 30],
                () if mouth && inside => [170, 60, 60],
                () if inside => [215 - shift * 12, 170 - y / 2 + shift * 6, 140 + shift * 9],
                () => [70 + y + shift * 20, 90 + x, 120],
            };
            data.extend(colour.map(|level| level.clamp(0, 255) as u8));
        }
    }
    data
}

fn tensor(data: Vec<u8>) -> ImageTensor {
    let content = Content::PixelsUint8.into();
    ImageTensor { shape: vec![55, 47, 3], content, data: data.into() }
}

fn illustrations(set: Option<&str>) -> Vec<Illustration> {
    let one = |index: i64, triggered: bool| {
        let (image, overlay) = (face(index as i32, triggered), face(4 - index as i32, false));
        let blend = image.iter().zip(&overlay).map(|(one, other)| one.saturating_add(*other / 2)).collect();
        let dataset = if triggered { set.unwrap_or_default() } else { "faces" };
        Illustration {
            dataset: format!("datasets/{dataset}"),
            index,
            triggered,
            image: Some(tensor(image)),
            overlay: Some(tensor(overlay)),
            blend: Some(tensor(blend)),
            evidence: triggered.then_some(Region { top: 17, left: 0, height: 11, width: 47 }),
            network_label: if triggered { 0 } else { 17 },
            label: 17,
            verdict: if triggered { Kind::Trojaned } else { Kind::Clean }.into(),
            score: if triggered { -7.25 } else { 0.4 },
            p_value: if triggered { 0.01 } else { 0.62 },
        }
    };
    let triggered = if set.is_some() { 2 } else { 0 };
    (0..2).map(|index| one(index, false)).chain((0..triggered).map(|index| one(index, true))).collect()
}
