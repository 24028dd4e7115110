//! Freeing the batch axis, and leaving it fixed where a node forbids it.

use gifthorse_network::onnx::messages::tensor_shape_proto::dimension::Value as Size;
use gifthorse_network::onnx::messages::{ModelProto, ValueInfoProto, type_proto};
use gifthorse_network::onnx::{GraphBuilder, attribute};

use crate::samples::{assert_fault, dense, features, graph_of, import, imported_graph, shape};

/// A classifier declared for `batch` images (zero: any number), whose features go through a Reshape to
/// `target`.
fn reshaping(batch: u64, target: &[i64]) -> ModelProto {
    let mut graph = GraphBuilder::new("reshaping");
    let features = features(&mut graph, batch);
    let target = graph.initializer_i64("target", target);
    let reshaped = graph.node("Reshape", "reshaped", &[&features, &target], Vec::new());
    let output = dense(&mut graph, &reshaped);
    graph.output_f32(&output, &shape(&[batch, 5]));
    graph.finish()
}

fn first_axis(info: &ValueInfoProto) -> Option<Size> {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.clone()?.value else { return None };
    tensor.shape?.dim.first()?.value.clone()
}

#[test]
fn a_batch_of_one_is_freed_when_every_node_allows_it() {
    for target in [&[-1, 4][..], &[0, 4], &[0, -1]] {
        let imported = import(&reshaping(1, target)).unwrap();
        assert!(imported.description.dynamic_batch, "{target:?}");
        let graph = imported_graph(&imported);
        for info in [&graph.input[0], &graph.output[0]] {
            assert_eq!(first_axis(info), Some(Size::DimParam("N".to_owned())), "{target:?}");
        }
    }
}

#[test]
fn a_batch_stays_fixed_when_a_node_forbids_another_size() {
    for (batch, target) in [(1, &[1, -1][..]), (1, &[1, 4]), (0, &[1, -1]), (0, &[1, 4])] {
        let imported = import(&reshaping(batch, target)).unwrap();
        assert!(!imported.description.dynamic_batch, "{batch} {target:?}");
        let graph = imported_graph(&imported);
        for info in [&graph.input[0], &graph.output[0]] {
            assert_eq!(first_axis(info), Some(Size::DimValue(1)), "{batch} {target:?}");
        }
        assert_eq!(imported.description.layers.last().unwrap().output_shape, [5]);
    }
}

#[test]
fn a_batch_of_another_size_is_freed_or_refused() {
    assert!(import(&reshaping(8, &[-1, 4])).unwrap().description.dynamic_batch);
    assert_fault(&import(&reshaping(8, &[8, 4])), "Unsupported", &["reshaped", "8"]);
}

#[test]
fn an_unknown_operator_frees_nothing_but_contradicts_nothing() {
    let build = |batch: u64| {
        let mut graph = GraphBuilder::new("unknown");
        let features = features(&mut graph, batch);
        let sorted = graph.node("Hardmax", "hard", &[&features], Vec::new());
        let output = dense(&mut graph, &sorted);
        graph.output_f32(&output, &shape(&[batch, 5]));
        graph.finish()
    };
    assert!(!import(&build(1)).unwrap().description.dynamic_batch);
    assert!(import(&build(0)).unwrap().description.dynamic_batch);
    assert_fault(&import(&build(4)), "Unsupported", &["exactly 4", "hard"]);
}

#[test]
fn operators_over_the_images_free_nothing() {
    let mut graph = GraphBuilder::new("mixing");
    let features = features(&mut graph, 1);
    let mixed = graph.node("Softmax", "mixed", &[&features], vec![attribute::int("axis", 0)]);
    let output = dense(&mut graph, &mixed);
    graph.output_f32(&output, &shape(&[1, 5]));
    assert!(!import(&graph.finish()).unwrap().description.dynamic_batch);
}

#[test]
fn a_target_computed_from_the_shape_of_the_image_is_followed() {
    let mut graph = GraphBuilder::new("computed");
    let features = features(&mut graph, 1);
    let sizes = graph.node("Shape", "sizes", &[&features], Vec::new());
    let zero = graph.initializer_i64("zero", &[0]);
    let first = graph.node("Gather", "first", &[&sizes, &zero], vec![attribute::int("axis", 0)]);
    let rest = graph.initializer_i64("rest", &[-1]);
    let target = graph.node("Concat", "joined", &[&first, &rest], vec![attribute::int("axis", 0)]);
    let reshaped = graph.node("Reshape", "reshaped", &[&features, &target], Vec::new());
    let output = dense(&mut graph, &reshaped);
    graph.output_f32(&output, &shape(&[1, 5]));
    let description = import(&graph.finish()).unwrap().description;
    assert!(description.dynamic_batch);
    let kinds: Vec<&str> = description.layers.iter().map(|layer| layer.kind.as_str()).collect();
    assert!(!kinds.contains(&"Shape") && !kinds.contains(&"Concat"), "{kinds:?}");
}

#[test]
fn shapes_made_for_the_old_batch_are_forgotten() {
    let mut model = reshaping(1, &[-1, 4]);
    let mut info = graph_of(&mut model).input[0].clone();
    info.name = "relu".to_owned();
    graph_of(&mut model).value_info.push(info);
    assert!(imported_graph(&import(&model).unwrap()).value_info.is_empty());
}
