//! The page of a repair: the verdict first, then what was done.

use std::collections::BTreeMap;
use std::fmt::Write;

use gifthorse_defence::pruning::GateAnswer;

use crate::figures::Figure;
use crate::format::{self, escaped};
use crate::html::{document, figure, table};
use crate::names;
use crate::repair::figures::Figures;
use crate::repair::{RepairRecord, tables, words};
use crate::tables::Table;

/// The whole page.
pub(super) fn page(record: &RepairRecord, figures: &Figures) -> String {
    let mut body = format!(
        "<p class=\"meta\">Job <code>{}</code> on <code>{}</code>, made {} by gifthorse</p>\n",
        escaped(&record.job),
        escaped(&record.model),
        escaped(&record.made_at)
    );
    body.push_str(&verdict(record));
    for warning in words::warnings(record) {
        let _ = writeln!(body, "<p class=\"warning\">{}</p>", escaped(&warning));
    }
    body.push_str(&done(record));
    body.push_str("<h2>Before and after</h2>\n");
    body.push_str(&table::section(&tables::networks(record)));
    body.push_str(&gate(record));
    body.push_str(&pruning(record, figures));
    body.push_str(&maps(record, figures));
    body.push_str(&trainings(record, figures));
    body.push_str(&repeat(record));
    body.push_str(words::MEANING);
    body.push_str(words::FILES);
    document(&title(record), &body)
}

fn title(record: &RepairRecord) -> String {
    format!("Fine-pruning of {}", names::network(&record.model))
}

/// The answer of the gate, and what came of it in sentences.
fn verdict(record: &RepairRecord) -> String {
    let answer = record.gate.answer;
    let class = match answer {
        GateAnswer::NotRepaired => "bad",
        GateAnswer::NothingToRepair | GateAnswer::NoEvidenceLeft => "open",
        GateAnswer::Repaired => "good",
    };
    let mut verdict = format!(
        "<div class=\"verdict {class}\">\n<p><strong>{}</strong> <code>{answer}</code></p>\n<p>{}</p>\n",
        words::answer(answer),
        words::meaning(answer)
    );
    verdict.push_str(&list(&words::summary(record)));
    verdict.push_str("</div>\n");
    verdict
}

/// What was done, to what, with what.
fn done(record: &RepairRecord) -> String {
    let RepairRecord { layer, clean, choice, .. } = record;
    let mut facts: Vec<(&str, String)> = vec![("Network", record.model.clone())];
    let paths = layer.bypass.as_ref().map_or_else(
        || "every path to the output passes it".to_owned(),
        |bypass| format!("the output can go around it: {bypass}"),
    );
    let (height, width) = (layer.height, layer.width);
    let shape = format!("{} of {height} x {width}", words::channels(layer.channels));
    facts.push(("Layer", format!("{}: {shape}; {paths}", layer.name)));
    let of_classes = format!("{} of {} classes", clean.covered_classes, clean.classes);
    let images = format::images(clean.images as u64);
    facts.push(("Clean images", format!("{}: {images}, {of_classes}", clean.dataset)));
    let mut parts =
        format!("{} ranked the channels, {} scored each step", clean.ranking_images, clean.scoring_images);
    parts.push_str(if clean.scored_on_all { " (the same images)" } else { " (others)" });
    let _ = write!(parts, "; {} of classes that the repair never saw", clean.unseen_class_images);
    facts.push(("Their parts", parts));
    if !record.ranking.is_empty() {
        let dead = format!("{} never woke on clean images", words::channels(record.dead.len()));
        let pruned = format!("{} of {} set to zero, the sleepiest first", choice.channels, layer.channels);
        facts.push(("Pruned", format!("{pruned}; {dead}")));
    }
    facts.push(("Rule", format!("{}; {}", choice.rule, choice.reason)));
    facts.push(("Training", words::method(record.method).to_owned()));
    for set in &record.sets {
        let images = format::images(set.images as u64);
        let target =
            set.target.map_or_else(|| "target unknown".to_owned(), |class| format!("target class {class}"));
        facts.push(("Triggered images", format!("{}: {images}, {target}; {}", set.dataset, set.used_for)));
    }
    let mut section = "<h2>What was done</h2>\n<dl>\n".to_owned();
    for (term, words) in facts {
        let _ = writeln!(section, "<dt>{term}</dt><dd>{}</dd>", escaped(&words));
    }
    section.push_str("</dl>\n");
    section
}

fn gate(record: &RepairRecord) -> String {
    let gate = &record.gate;
    let mut section = format!(
        "<h2>The gate</h2>\n<p>The answer is <code>{}</code>. Accuracy on held-out clean images may fall by {} \
         points at most, and a trigger may work on {} of images at most; both are asked of one-sided bounds with \
         {} confidence, so that few images do not let a network through.</p>\n",
        gate.answer,
        format::level(gate.max_accuracy_drop).trim_end_matches(" %"),
        format::level(gate.max_attack_success_rate),
        format::level(gate.confidence)
    );
    section.push_str(&list(&gate.reasons));
    section.push_str(&table::section(&tables::synthetic(record)));
    section
}

fn pruning(record: &RepairRecord, figures: &Figures) -> String {
    let mut section = "<h2>Pruning</h2>\n".to_owned();
    if record.curve.is_empty() {
        section.push_str("<p class=\"note\">No step was scored.</p>\n");
    }
    section.extend(figures.prune_curve.as_ref().map(in_place));
    if !record.published.is_empty() {
        section.push_str(&table::section(&tables::published(record)));
    }
    if !record.curve.is_empty() {
        section.push_str(&folded("Every step as a table", &tables::curve(record)));
    }
    if !record.ranking.is_empty() {
        let order = |channels: &[usize]| channels.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let (first, rest) = record.ranking.split_at(record.choice.channels.min(record.ranking.len()));
        let _ = writeln!(
            section,
            "<details><summary>The channels in the order of pruning</summary>\n<p class=\"note\"><code>{} | {}</code></p>\n\
             <p class=\"note\">What stands left of the bar was pruned; channels.csv has the mean activations.</p></details>",
            order(first),
            order(rest)
        );
    }
    section
}

fn maps(record: &RepairRecord, figures: &Figures) -> String {
    if record.activation_maps.is_empty() {
        return String::new();
    }
    let mut section = "<h2>Activation maps</h2>\n<p>Channels that are dark on clean images and bright on triggered \
                       ones are where the backdoor lives; pruning works as far as these are among the pruned.</p>\n"
        .to_owned();
    section.extend(figures.activation_maps.iter().map(in_place));
    section
}

fn trainings(record: &RepairRecord, figures: &Figures) -> String {
    if record.trainings.is_empty() {
        return String::new();
    }
    let mut section = "<h2>Training</h2>\n".to_owned();
    section.extend(figures.training_curves.as_ref().map(in_place));
    section.push_str(&table::section(&tables::trainings(record)));
    section
}

fn repeat(record: &RepairRecord) -> String {
    let mut section = "<h2>How to repeat it</h2>\n".to_owned();
    if !record.command.is_empty() {
        let _ = writeln!(section, "<p><code>{}</code></p>", escaped(&record.command));
    }
    section.push_str(&pairs("Settings", &record.settings));
    section.push_str(&pairs("Where it was made, and of what", &record.environment));
    section
}

fn pairs(heading: &str, pairs: &BTreeMap<String, String>) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let mut section = format!("<h3>{heading}</h3>\n<dl>\n");
    for (key, value) in pairs {
        let _ = writeln!(section, "<dt>{}</dt><dd><code>{}</code></dd>", escaped(key), escaped(value));
    }
    section.push_str("</dl>\n");
    section
}

fn list(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut list = "<ul>\n".to_owned();
    for line in lines {
        let _ = writeln!(list, "<li>{}</li>", escaped(line));
    }
    list.push_str("</ul>\n");
    list
}

/// A long table that opens when asked for.
fn folded(summary: &str, one: &Table) -> String {
    format!("<details><summary>{summary}</summary>\n{}</details>\n", table::section(one))
}

fn in_place(one: &Figure) -> String {
    figure(one, "")
}
