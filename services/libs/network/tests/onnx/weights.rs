//! Reading and replacing weights by name.

use gifthorse_network::onnx::attribute;
use gifthorse_network::onnx::initializers::{read_f32, replace_f32};
use gifthorse_network::onnx::messages::tensor_proto::DataType;
use gifthorse_network::onnx::messages::{NodeProto, TensorProto};
use ndarray::{Array1, arr1};

use crate::samples::{classifier, graph_of, weights};

#[test]
fn weights_are_read_and_replaced_in_place() {
    let mut model = classifier();
    let graph = graph_of(&mut model);
    assert_eq!(read_f32(graph, "fc.weight").unwrap(), weights(&[5, 4]));
    // Columns first in memory, rows first in the file.
    let doubled = weights(&[4, 5]).mapv(|value| value * 2.0);
    replace_f32(graph, "fc.weight", doubled.t()).unwrap();
    assert_eq!(read_f32(graph, "fc.weight").unwrap(), doubled.t());
}

#[test]
fn typed_data_and_constant_nodes_count_as_well() {
    let mut model = classifier();
    let graph = graph_of(&mut model);
    let typed = TensorProto {
        name: "typed".to_owned(),
        data_type: DataType::Float.into(),
        dims: vec![2],
        float_data: vec![1.0, 2.0],
        ..TensorProto::default()
    };
    graph.initializer.push(typed.clone());
    graph.node.push(NodeProto {
        op_type: "Constant".to_owned(),
        output: vec!["constant".to_owned()],
        attribute: vec![attribute::tensor("value", typed)],
        ..NodeProto::default()
    });
    for name in ["typed", "constant"] {
        assert_eq!(read_f32(graph, name).unwrap(), arr1(&[1.0_f32, 2.0]).into_dyn());
        replace_f32(graph, name, arr1(&[3.0_f32, 4.0]).view()).unwrap();
        assert_eq!(read_f32(graph, name).unwrap(), arr1(&[3.0_f32, 4.0]).into_dyn());
    }
}

#[test]
fn wrong_names_shapes_and_types_are_named() {
    let mut model = classifier();
    let graph = graph_of(&mut model);
    let fault = read_f32(graph, "absent").unwrap_err().to_string();
    assert!(fault.contains("absent"), "{fault}");
    let fault = replace_f32(graph, "fc.bias", Array1::zeros(4).view()).unwrap_err().to_string();
    assert!(fault.contains("[5]") && fault.contains("[4]"), "{fault}");
    graph.initializer[0].data_type = DataType::Float16.into();
    let fault = read_f32(graph, "conv.weight").unwrap_err().to_string();
    assert!(fault.contains("FLOAT16"), "{fault}");
}
