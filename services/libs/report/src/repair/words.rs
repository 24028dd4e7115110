//! What the report of a repair says in words.

use gifthorse_defence::pruning::GateAnswer;

use crate::format;
use crate::names;
use crate::repair::{Counts, GOOD_NET, NetworkRow, RepairMethod, RepairRecord, TrainingRole};
use crate::statistics;

/// Fewer images than this deserve a warning.
const FEW: usize = 100;

/// `1 channel`, `20 channels`.
pub(super) fn channels(count: usize) -> String {
    if count == 1 { "1 channel".to_owned() } else { format!("{count} channels") }
}

/// A share of 1 with one decimal.
pub(super) fn percent(rate: f64) -> String {
    format::percent(rate, 0)
}

/// A rate in short: `95.3 % (142 of 149)`; a dash where nothing was measured.
pub(super) fn counted(counts: Counts) -> String {
    let Counts { count, total } = counts;
    statistics::share(count, total)
        .map_or_else(|| "–".to_owned(), |rate| format!("{} ({count} of {total})", percent(rate.estimate)))
}

/// The answer of the gate as a heading.
pub(super) const fn answer(answer: GateAnswer) -> &'static str {
    match answer {
        GateAnswer::NotRepaired => "Not repaired",
        GateAnswer::NothingToRepair => "Nothing to repair",
        GateAnswer::NoEvidenceLeft => "No evidence left",
        GateAnswer::Repaired => "Repaired",
    }
}

/// What the answer of the gate means.
pub(super) const fn meaning(answer: GateAnswer) -> &'static str {
    match answer {
        GateAnswer::NotRepaired => {
            "The repaired network must not be used and must not vote: it lost too much, a trigger still works, or \
             nothing is known of the backdoor."
        }
        GateAnswer::NothingToRepair => {
            "The network showed no backdoor before anything was changed: no class stands out, and none of the triggers \
             that were tried works. That is no proof that it has none; but there was nothing to repair, so what was \
             made of it does not take its place."
        }
        GateAnswer::NoEvidenceLeft => {
            "Nothing that was tried works any more. But no real triggered images were there that worked before the \
             repair, so this is no proof that the backdoor is gone."
        }
        GateAnswer::Repaired => {
            "Real triggered images worked before the repair and do not any more, and the network kept its \
             accuracy, each with the confidence asked for."
        }
    }
}

/// The method in words.
pub(super) const fn method(method: RepairMethod) -> &'static str {
    match method {
        RepairMethod::None => "pruning alone, no training afterwards",
        RepairMethod::Ft => "fine-tuning on clean images (FT)",
        RepairMethod::FtSam => "fine-tuning with sharpness-aware minimisation (FT-SAM)",
        RepairMethod::Fst => "feature shift tuning, with a new output layer (FST)",
        RepairMethod::Invert => "inversion of the triggers, which are then unlearned",
    }
}

/// What a training was for.
pub(super) const fn role(role: TrainingRole) -> &'static str {
    match role {
        TrainingRole::Candidate => "candidate",
        TrainingRole::Chosen => "chosen",
        TrainingRole::FineTuneOnly => "fine-tune only, not pruned",
    }
}

/// What came of it in one sentence a measure: the first network against the last one.
pub(super) fn summary(record: &RepairRecord) -> Vec<String> {
    let [before, .., after] = &record.networks[..] else { return Vec::new() };
    // What a network with one more class answers is told in the table: here the repaired one speaks for itself.
    let plain = |row: &&NetworkRow| {
        row.name != GOOD_NET && row.attacks.iter().all(|attack| attack.detected.is_none())
    };
    let after = record.networks[1..].iter().rev().find(plain).unwrap_or(after);
    let mut lines = vec![format!(
        "Accuracy on held-out clean images: {} {}, {} {}.",
        before.name,
        counted(before.held_out),
        after.name,
        counted(after.held_out)
    )];
    if let (Some(one), Some(other)) = (before.unseen, after.unseen) {
        let (one, other) = (counted(one), counted(other));
        lines.push(format!(
            "Of classes that the repair never saw: {} {one}, {} {other}.",
            before.name, after.name
        ));
    }
    for attack in &after.attacks {
        let earlier = before.attacks.iter().find(|earlier| earlier.set == attack.set);
        let earlier = earlier.map_or_else(|| "–".to_owned(), |earlier| counted(earlier.success));
        lines.push(format!(
            "Success of the attack {}: {} {earlier}, {} {}.",
            names::dataset(&attack.set),
            before.name,
            after.name,
            counted(attack.success)
        ));
    }
    lines
}

/// What a reader must know before trusting the numbers.
pub(super) fn warnings(record: &RepairRecord) -> Vec<String> {
    let mut words = Vec::new();
    let (clean, layer) = (&record.clean, &record.layer);
    if let Some(bypass) = &layer.bypass {
        words.push(format!(
            "The output can go around the layer {}: {bypass}. Pruning there may leave the backdoor as it is.",
            layer.name
        ));
    }
    if clean.scored_on_all {
        words.push(
            "The same clean images ranked the channels and scored the steps: the curve looks better than it is."
                .to_owned(),
        );
    }
    if clean.covered_classes < clean.classes {
        let (covered, classes) = (clean.covered_classes, clean.classes);
        words.push(format!(
            "The clean images show {covered} of {classes} classes: training may forget the others, and only images \
             of classes that the repair never saw tell."
        ));
    }
    let scored = clean.scoring_images;
    if !record.curve.is_empty() && scored < FEW {
        words.push(format!(
            "Each step was scored on {} only: one image is {} of accuracy.",
            format::images(scored as u64),
            percent(1.0 / scored.max(1) as f64)
        ));
    }
    if record.sets.is_empty() {
        words.push(
            "No triggered images were given: nothing here tells how often a real trigger works.".to_owned(),
        );
    }
    for training in &record.trainings {
        if let Some(error) = &training.error {
            words.push(format!("The training {} broke off: {error}.", training.name));
        }
    }
    words.extend(record.notes.iter().cloned());
    words
}

/// What each number means.
pub(super) const MEANING: &str = "<h2>What the numbers mean</h2>
<p>A backdoored network is right on ordinary pictures and gives the attacker's class when a picture carries a \
trigger. Fine-pruning hopes that the backdoor lives in channels that ordinary pictures leave asleep: they are set to \
zero one after another, the sleepiest first, until the accuracy on clean pictures falls too far, and the rest of the \
network is trained on clean pictures.</p>
<dl>
<dt>Accuracy, ACC</dt><dd>Share of held-out clean images with the right answer. Seen and unseen: of classes that the repair had images of, and of classes that it never saw.</dd>
<dt>Attack success, ASR</dt><dd>Share of triggered images that get the attacker's class. Low is good.</dd>
<dt>True class, RA</dt><dd>Share of triggered images that get their true class in spite of the trigger. High is good.</dd>
<dt>Detected</dt><dd>Share of triggered images that are answered with &ldquo;backdoored&rdquo;, which is what a network with one more class says where the repaired network disagrees with the suspect one.</dd>
<dt>Fine-tuned only</dt><dd>The same training without pruning: what pruning adds is the difference to it.</dd>
<dt>Small print</dt><dd>Below each rate stands its 95 % interval by Wilson, and n, the number of images it rests on. The gate uses one-sided bounds with its own confidence. A dash is not measured.</dd>
</dl>
";

/// What lies beside the page.
pub(super) const FILES: &str = "<h2>Files beside this page</h2>
<dl>
<dt><code>report.json</code></dt><dd>Everything on this page for programs; <code>report.schema.json</code> describes it.</dd>
<dt><code>networks.csv</code>, <code>attacks.csv</code></dt><dd>The networks on clean and on triggered images, with all digits.</dd>
<dt><code>curve.csv</code>, <code>channels.csv</code></dt><dd>Every step of the pruning, and every channel with its rank and mean activation.</dd>
<dt><code>training.csv</code></dt><dd>Every epoch of every training.</dd>
<dt><code>.svg</code>, <code>.png</code></dt><dd>The figures.</dd>
</dl>
";
