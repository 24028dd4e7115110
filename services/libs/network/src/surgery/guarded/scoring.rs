//! From the logits of an image and its blends to the verdict.

use ndarray::arr0;

use crate::onnx::messages::tensor_proto::DataType;
use crate::onnx::messages::{AttributeProto, TensorProto};
use crate::onnx::{GraphBuilder, attribute};

/// The first version of the operators in which a sum takes its axes as an input.
const AXES_ARE_AN_INPUT: i64 = 13;

/// What the network answers for rows of images, each followed by its blends.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    /// Name of the images `[N, ...]`.
    pub(super) image: String,
    /// Count of values of one image.
    pub(super) pixels: usize,
    /// Name of the logits `[N * (K + 1), M]`.
    pub(super) logits: String,
    /// Name of the probabilities of the same shape.
    pub(super) probabilities: String,
    /// Count of blends of an image, K.
    pub(super) copies: usize,
    /// Count of classes, M.
    pub(super) classes: u64,
    /// Version of the operators.
    pub(super) opset: i64,
}

/// Adds the nodes that make `label`, `entropy`, `verdict` and `probabilities`, whose names must be free.
pub(super) fn outputs(graph: &mut GraphBuilder, answers: &Answers, threshold: f64) {
    let flat = graph.initializer_i64("guard/flat", &[-1]);
    let trojaned = trojaned(graph, answers, threshold, &flat);
    let verdict = graph.node("Cast", "guard/flag", &[&trojaned], vec![to(DataType::Int64)]);
    let verdict = graph.node("Reshape", "verdict", &[&verdict, &flat], Vec::new());

    let (rows, classes) = (answers.copies as i64 + 1, answers.classes as i64);
    let by_image = graph.initializer_i64("guard/answers_by_image", &[-1, rows, classes]);
    let answered = graph.node("Reshape", "guard/answers", &[&answers.probabilities, &by_image], Vec::new());
    let own = first(graph, "guard/own_answer", &answered);
    let by_class = graph.initializer_i64("guard/by_class", &[-1, classes]);
    let own = graph.node("Reshape", "probabilities", &[&own, &by_class], Vec::new());
    let greatest = vec![attribute::int("axis", 1), attribute::int("keepdims", 0)];
    let class = graph.node("ArgMax", "guard/class", &[&own], greatest);
    // class + verdict * (M - class): M where the verdict is 1.
    let backdoored = graph.initializer_i64("guard/backdoored", &[classes]);
    let away = graph.node("Sub", "guard/away", &[&backdoored, &class], Vec::new());
    let moved = graph.node("Mul", "guard/moved", &[&verdict, &away], Vec::new());
    graph.node("Add", "label", &[&class, &moved], Vec::new());
}

/// Makes the output `entropy`, and answers `[N, 1]`: whether it is below the threshold, or not a number.
fn trojaned(graph: &mut GraphBuilder, answers: &Answers, threshold: f64, flat: &str) -> String {
    let classes = vec![attribute::int("axis", 1)];
    let exact = graph.node("Cast", "guard/logits", &[&answers.logits], vec![to(DataType::Double)]);
    let logarithms = graph.node("LogSoftmax", "guard/logarithms", &[&exact], classes);
    let shares = graph.node("Exp", "guard/shares", &[&logarithms], Vec::new());
    // A share that is rounded to zero has a finite logarithm, so that the product is zero.
    let terms = graph.node("Mul", "guard/terms", &[&shares, &logarithms], Vec::new());
    let nats = sum(graph, "guard/nats", &terms, answers.opset);
    let by_image = graph.initializer_i64("guard/scores_by_image", &[-1, answers.copies as i64 + 1]);
    let nats = graph.node("Reshape", "guard/scores", &[&nats, &by_image], Vec::new());
    let places: Vec<i64> = (1..=answers.copies as i64).collect();
    let places = graph.initializer_i64("guard/blend_places", &places);
    let blends =
        graph.node("Gather", "guard/blend_scores", &[&nats, &places], vec![attribute::int("axis", 1)]);
    let total = sum(graph, "guard/total", &blends, answers.opset);
    let scale = number(graph, "guard/bits_a_blend", -std::f64::consts::LOG2_E / answers.copies as f64);
    let entropy = graph.node("Mul", "guard/entropy", &[&total, &scale], Vec::new());
    let single = graph.node("Cast", "guard/entropy_single", &[&entropy], vec![to(DataType::Float)]);
    graph.node("Reshape", "entropy", &[&single, flat], Vec::new());

    // Both comparisons are false for what is not a number; so the network is trusted only when it answers
    // numbers. "Not below" is "above the number before", which older operators know.
    let before = number(graph, "guard/below_threshold", threshold.next_down());
    let above = graph.node("Greater", "guard/above", &[&entropy, &before], Vec::new());
    let own = first(graph, "guard/own_score", &nats);
    let one = number(graph, "guard/one", 1.0);
    let sound = graph.node("Less", "guard/sound", &[&own, &one], Vec::new());
    let finite = finite(graph, answers);
    let sound = graph.node("And", "guard/trustworthy", &[&sound, &finite], Vec::new());
    let clean = graph.node("And", "guard/clean", &[&above, &sound], Vec::new());
    graph.node("Not", "guard/trojaned", &[&clean], Vec::new())
}

/// `[N, 1]`: whether every level of the image is finite. Networks can answer numbers where they are not:
/// rectifiers and poolings may let what is not a number vanish.
fn finite(graph: &mut GraphBuilder, answers: &Answers) -> String {
    let as_rows = graph.initializer_i64("guard/levels_by_image", &[-1, answers.pixels as i64]);
    let levels = graph.node("Reshape", "guard/levels", &[&answers.image, &as_rows], Vec::new());
    let zero = graph.initializer_f32("guard/zero", arr0(0.0_f32).view());
    let one = graph.initializer_f32("guard/one_level", arr0(1.0_f32).view());
    // Zero times infinity is not a number either.
    let nothing = graph.node("Mul", "guard/nothing", &[&levels, &zero], Vec::new());
    let nothing = sum(graph, "guard/nothing_at_all", &nothing, answers.opset);
    graph.node("Less", "guard/finite", &[&nothing, &one], Vec::new())
}

/// What belongs to the image itself, of a tensor `[N, K + 1, ...]`.
fn first(graph: &mut GraphBuilder, name: &str, of: &str) -> String {
    let place = graph.initializer_i64("guard/image_place", &[0]);
    graph.node("Gather", name, &[of, &place], vec![attribute::int("axis", 1)])
}

/// The sum over the second axis, which is kept.
fn sum(graph: &mut GraphBuilder, name: &str, of: &str, opset: i64) -> String {
    if opset < AXES_ARE_AN_INPUT {
        return graph.node("ReduceSum", name, &[of], vec![attribute::ints("axes", &[1])]);
    }
    let axes = graph.initializer_i64("guard/axes", &[1]);
    graph.node("ReduceSum", name, &[of, &axes], Vec::new())
}

fn to(kind: DataType) -> AttributeProto {
    attribute::int("to", i64::from(i32::from(kind)))
}

/// A double-precision number.
fn number(graph: &mut GraphBuilder, name: &str, value: f64) -> String {
    let tensor = TensorProto {
        dims: vec![1],
        data_type: DataType::Double.into(),
        raw_data: value.to_le_bytes().to_vec().into(),
        ..TensorProto::default()
    };
    graph.node("Constant", name, &[], vec![attribute::tensor("value", tensor)])
}
