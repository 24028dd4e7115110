//! What the page says in words.

use std::fmt::Write;

use crate::detectors;
use crate::format::{self, escaped};
use crate::names;
use crate::record::{EvaluationRecord, Record};

/// Fewer clean images than this deserve a warning.
const FEW: u64 = 100;

/// What each number means.
pub(super) const MEANING: &str = "<h2>What the numbers mean</h2>
<p>A backdoored network is right on ordinary pictures and gives the attacker's class when a picture carries a \
trigger. The guard scores every input; a low score speaks for a trigger. Inputs below the threshold are rejected: \
the guarded answer to them is &ldquo;backdoored&rdquo; instead of a class.</p>
<dl>
<dt>Accuracy</dt><dd>Share of clean images with the right answer. Of the guarded answer it counts a rejected image as wrong.</dd>
<dt>False rejections, FRR</dt><dd>Share of clean images that the guard rejects. The nominal rate is what was allowed; the measured one varies around it.</dd>
<dt>Attack success, ASR</dt><dd>Share of triggered images that get the attacker's class: from the network alone, and what is left of it (residual) in the guarded answer.</dd>
<dt>False acceptances, FAR</dt><dd>Share of triggered images that the guard lets through. Over effective trojans it counts only images on which the trigger works, which are those that matter.</dd>
<dt>AUROC</dt><dd>How well scores tell both kinds apart at any threshold: 1 is perfect, 0.5 is guessing.</dd>
<dt>Passes</dt><dd>How often the network ran to judge one image, which is what the guard costs in time.</dd>
<dt>Small print</dt><dd>Below each rate stands its confidence interval, 95 % unless the evaluation chose another, and n, the number of images it rests on. Means stand with &plusmn; half their 95 % interval.</dd>
</dl>
";

/// What lies beside the page.
pub(super) const FILES: &str = "<h2>Files beside this page</h2>
<dl>
<dt><code>report.json</code></dt><dd>Everything on this page for programs; <code>report.schema.json</code> describes it.</dd>
<dt><code>tables/</code></dt><dd>The tables as CSV with all digits, the scores of every image (<code>scores.csv</code>), every operating point (<code>operating-curve.csv</code>) and the passes (<code>passes.csv</code>).</dd>
<dt><code>figures/</code></dt><dd>The figures as SVG and PNG.</dd>
</dl>
";

/// What a reader must know before trusting the numbers: one paragraph a network.
pub(super) fn warnings(record: &Record) -> Vec<String> {
    let of_one = |evaluation: &EvaluationRecord| {
        let words = warning(evaluation);
        (!words.is_empty()).then(|| format!("{}: {}", names::network(&evaluation.network), words.join("; ")))
    };
    record.evaluations.iter().filter_map(of_one).collect()
}

fn warning(evaluation: &EvaluationRecord) -> Vec<String> {
    let mut words = Vec::new();
    if evaluation.clean_images < FEW {
        words.push(format!(
            "only {} of {} measured, every rate on clean images is uncertain: look at the intervals, not at the \
             points, and measure {FEW} or more if you can",
            format::images(evaluation.clean_images),
            names::dataset(&evaluation.clean_dataset)
        ));
    }
    let few: Vec<_> = evaluation
        .triggered
        .iter()
        .filter(|set| set.images < FEW)
        .map(|set| format!("{} of {}", format::images(set.images), names::dataset(&set.dataset)))
        .collect();
    if !few.is_empty() {
        words.push(format!("few triggered images: {}", few.join(", ")));
    }
    words.extend(evaluation.notes.iter().cloned());
    for detector in evaluation.detectors.iter().filter(|detector| detector.decides) {
        words.extend(
            detector
                .refusal
                .iter()
                .map(|refusal| format!("{} has no threshold: {refusal}", detector.detector)),
        );
    }
    words
}

/// What the detectors of an evaluation do.
pub(super) fn detectors(evaluation: &EvaluationRecord) -> String {
    let mut list = String::new();
    for detector in &evaluation.detectors {
        let words = detectors::words(&detector.detector);
        if !words.is_empty() {
            let _ = writeln!(list, "<dt>{}</dt><dd>{words}.</dd>", escaped(&detector.detector));
        }
    }
    if list.is_empty() { list } else { format!("<dl>\n{list}</dl>\n") }
}
