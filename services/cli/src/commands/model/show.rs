//! `gifthorse model show NAME[@VERSION]`

use std::fmt;

use gifthorse_api::v1;

use super::Session;
use crate::error::CommandError;
use crate::output::facts::Facts;
use crate::output::table::{Align, Table};
use crate::output::time;
use crate::reference::{ModelReference, short};

/// What is shown.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: NAME for the promoted version, or NAME@VERSION
    name: ModelReference,
}

pub(super) async fn run(session: &mut Session, arguments: Arguments) -> Result<(), CommandError> {
    let gateway = session.connect().await?;
    let request = v1::GetModelVersionRequest { name: arguments.name.resource() };
    let reply =
        gateway.models().get_model_version(request).await.map_err(|status| gateway.refused(status))?;
    session.output.reply(&reply.into_inner(), |version| Shown {
        facts: facts(version),
        layers: layers(&version.layers),
    })
}

struct Shown {
    facts: Facts,
    layers: Table,
}

impl fmt::Display for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n{}", self.facts, self.layers)
    }
}

fn facts(version: &v1::ModelVersion) -> Facts {
    let mut facts = Facts::new();
    facts.add("name", short(&version.name));
    facts.add("created", time(version.create_time.as_ref()));
    facts.add("promoted", if version.promoted { "yes" } else { "no" });
    facts.add("state", version.state().as_str_name());
    facts.add("reason", &version.state_reason);
    if let Some(provenance) = &version.provenance {
        facts.add("source", provenance.source().as_str_name());
        facts.add("file", &provenance.file_name);
        facts.add("producer", &provenance.producer);
        facts.add("architecture", &provenance.architecture);
        if provenance.softmax_appended {
            facts.add("softmax", "appended: the network answered logits");
        }
        facts.add("repaired from", short(&provenance.parent_version));
    }
    if let Some(endpoint) = &version.linked_endpoint {
        let output = if endpoint.logits { "logits" } else { "probabilities" };
        let v1::LinkedEndpoint { endpoint, model_name, model_version, input, output: tensor, .. } = endpoint;
        let version = if model_version.is_empty() { String::new() } else { format!(" {model_version}") };
        facts.add("held by", format!("{endpoint} as {model_name}{version}: {input} to {tensor} ({output})"));
    }
    // The output layer of a network that somebody else holds cannot be looked at.
    if version.linked_endpoint.is_none() {
        facts.add("suspects", suspects(&version.suspect_classes));
    }
    if let Some(gate) = &version.repair_gate {
        facts.add("repair gate", format!("{}: {}", gate.result().as_str_name(), gate.reason));
    }
    facts.add("classes", version.class_count);
    facts.add("class names", version.class_names.join(", "));
    facts.add("weights", version.parameter_count);
    facts.add("input", &version.input);
    facts.add("output", &version.output);
    if let Some(preprocessing) = &version.preprocessing {
        add_preprocessing(&mut facts, preprocessing);
    }
    facts.add("digest", &version.digest);
    for file in &version.files {
        facts.add("stored", format!("{}, {} bytes, sha256 {}", file.file_name, file.size, file.sha256));
    }
    facts
}

fn add_preprocessing(facts: &mut Facts, preprocessing: &v1::Preprocessing) {
    let v1::Preprocessing { height, width, channels, .. } = preprocessing;
    facts.add("picture", format!("{height} x {width} x {channels}"));
    facts.add("layout", preprocessing.layout().as_str_name());
    facts.add("channel order", preprocessing.channel_order().as_str_name());
    facts.add("scale", format!("pixels / {}", preprocessing.scale));
    facts.add("mean", numbers(&preprocessing.mean));
    facts.add("deviation", numbers(&preprocessing.standard_deviation));
    let resize = preprocessing.resize.as_ref().map_or_else(
        || "none: pictures of another size are refused".to_owned(),
        |rule| {
            let (filter, fit) = (rule.filter().as_str_name(), rule.fit().as_str_name());
            let antialias = if rule.antialias { ", antialiased" } else { "" };
            let exif = if rule.apply_exif_orientation { ", EXIF orientation applied" } else { "" };
            format!("{filter}, {fit}{antialias}{exif}")
        },
    );
    facts.add("resize", resize);
    facts.add("alpha", preprocessing.alpha().as_str_name());
}

/// The classes whose output weights stand out: a hint, not a verdict.
fn suspects(classes: &[v1::SuspectClass]) -> String {
    let one = |class: &v1::SuspectClass| {
        format!("class {} (robust z: weights {:.1}, bias {:.1})", class.label, class.weight_z, class.bias_z)
    };
    let classes: Vec<String> = classes.iter().map(one).collect();
    if classes.is_empty() {
        "no class stands out in the output layer, which many backdoors do not show".to_owned()
    } else {
        let hint = "their output weights stand out as an attacker's class may; a hint, not a verdict";
        format!("{}: {hint}", classes.join(", "))
    }
}

fn numbers(numbers: &[f64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn layers(layers: &[v1::Layer]) -> Table {
    let mut table = Table::new(&[
        ("LAYER", Align::Left),
        ("KIND", Align::Left),
        ("OUTPUT", Align::Left),
        ("WEIGHTS", Align::Right),
    ]);
    for layer in layers {
        let shape: Vec<String> = layer.output_shape.iter().map(ToString::to_string).collect();
        table.row([
            layer.name.clone(),
            layer.kind.clone(),
            shape.join(" x "),
            layer.parameter_count.to_string(),
        ]);
    }
    table
}
