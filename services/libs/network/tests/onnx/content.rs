//! The data of constant tensors.

use gifthorse_network::onnx::attribute;
use gifthorse_network::onnx::messages::TensorProto;
use gifthorse_network::onnx::messages::tensor_proto::{DataType, Segment};

use crate::samples::{assert_fault, classifier, graph_of, import};

/// The classifier with one more initializer, which nothing reads.
fn with(tensor: TensorProto) -> Result<gifthorse_network::Imported, gifthorse_network::NetworkError> {
    let mut model = classifier();
    graph_of(&mut model).initializer.push(TensorProto { name: "extra".to_owned(), ..tensor });
    import(&model)
}

fn raw(kind: DataType, dims: &[i64], data: &[u8]) -> TensorProto {
    TensorProto {
        data_type: kind.into(),
        dims: dims.to_vec(),
        raw_data: data.to_vec().into(),
        ..TensorProto::default()
    }
}

#[test]
fn raw_data_has_the_length_its_shape_asks_for() {
    for (kind, count, bytes) in [
        (DataType::Float, 3, 12),
        (DataType::Double, 3, 24),
        (DataType::Float16, 3, 6),
        (DataType::Int8, 3, 3),
        (DataType::Int64, 3, 24),
        (DataType::Bool, 3, 3),
        (DataType::Uint4, 3, 2),
        (DataType::Int2, 5, 2),
        (DataType::Complex128, 1, 16),
    ] {
        assert!(with(raw(kind, &[count], &vec![0; bytes])).is_ok(), "{kind:?}");
        for wrong in [bytes - 1, bytes + 1, 0] {
            assert_fault(
                &with(raw(kind, &[count], &vec![0; wrong])),
                "Damaged",
                &["extra", &wrong.to_string()],
            );
        }
    }
    assert!(with(raw(DataType::Float, &[0, 4], &[])).is_ok(), "no elements need no data");
    assert!(with(raw(DataType::Float, &[], &[0; 4])).is_ok(), "a scalar is one element");
}

#[test]
fn huge_and_negative_shapes_are_refused_without_reserving() {
    for dims in [&[i64::MAX][..], &[1 << 40, 1 << 40], &[i64::MAX, i64::MAX, 0], &[-1], &[4, -4], &[1 << 33]]
    {
        assert_fault(&with(raw(DataType::Float, dims, &[0; 4])), "Damaged", &["extra"]);
    }
    assert_fault(&with(raw(DataType::Float, &[1; 65], &[0; 4])), "Damaged", &["65 axes"]);
}

#[test]
fn typed_data_is_in_its_own_field_and_of_its_length() {
    let float = TensorProto {
        data_type: DataType::Float.into(),
        dims: vec![2],
        float_data: vec![1.0, 2.0],
        ..TensorProto::default()
    };
    assert!(with(float.clone()).is_ok());
    assert_fault(
        &with(TensorProto { dims: vec![3], ..float.clone() }),
        "Damaged",
        &["needs 3 float_data, has 2"],
    );
    let elsewhere = TensorProto { data_type: DataType::Int64.into(), ..float.clone() };
    assert_fault(&with(elsewhere), "Damaged", &["INT64", "float_data"]);
    let both = TensorProto { raw_data: vec![0; 8].into(), ..float.clone() };
    assert_fault(&with(both), "Damaged", &["float_data"]);
    let two = TensorProto { int64_data: vec![1, 2], ..float.clone() };
    assert_fault(&with(two), "Damaged", &["float_data"]);
    let segment = TensorProto { segment: Some(Segment { begin: 0, end: 2 }), ..float };
    assert_fault(&with(segment), "Unsupported", &["segments"]);
    let half = TensorProto {
        data_type: DataType::Float16.into(),
        dims: vec![2],
        int32_data: vec![0x3c00, 0x4000],
        ..TensorProto::default()
    };
    assert!(with(half).is_ok());
}

#[test]
fn unknown_types_are_refused() {
    for kind in [0, 27, -1, i32::MAX] {
        let tensor = TensorProto { data_type: kind, ..TensorProto::default() };
        assert_fault(&with(tensor), "Damaged", &["extra", "data type"]);
    }
}

#[test]
fn weights_that_are_not_finite_are_named_with_their_place() {
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let doubles = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let halves = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    for (kind, data, place, value) in [
        (DataType::Float, floats(&[0.0, f32::NAN, 0.0]), 1, "NaN"),
        (DataType::Float, floats(&[0.0, 1.0, f32::INFINITY]), 2, "inf"),
        (DataType::Double, doubles(&[f64::NEG_INFINITY, 0.0, 0.0]), 0, "-inf"),
        (DataType::Float16, halves(&[0x7bff, 0x0001, 0x7c00]), 2, "inf"),
        (DataType::Float16, halves(&[0xfc00, 0, 0]), 0, "-inf"),
        (DataType::Float16, halves(&[0, 0x7e00, 0]), 1, "NaN"),
        (DataType::Bfloat16, halves(&[0x7f7f, 0x7f80, 0]), 1, "inf"),
        (DataType::Bfloat16, halves(&[0, 0, 0xffc0]), 2, "NaN"),
    ] {
        let place = format!("at element {place}");
        assert_fault(&with(raw(kind, &[3], &data)), "NotFinite", &["extra", &place, value]);
    }
    let typed = TensorProto {
        data_type: DataType::Float.into(),
        dims: vec![2],
        float_data: vec![1.0, f32::NAN],
        ..TensorProto::default()
    };
    assert_fault(&with(typed), "NotFinite", &["at element 1"]);
    assert!(with(raw(DataType::Float, &[], &floats(&[f32::INFINITY]))).is_ok(), "a bound may be infinite");
    assert_fault(&with(raw(DataType::Float, &[], &floats(&[f32::NAN]))), "NotFinite", &["NaN"]);
}

#[test]
fn constants_inside_nodes_are_checked_too() {
    let mut model = classifier();
    let tensor = raw(DataType::Float, &[2], &[0; 4]);
    graph_of(&mut model).node[0].attribute.push(attribute::tensor("value", tensor));
    assert_fault(&import(&model), "Damaged", &["needs 8"]);
    let mut model = classifier();
    graph_of(&mut model).node[1].attribute.push(attribute::float("epsilon", f32::NAN));
    assert_fault(&import(&model), "NotFinite", &["norm.epsilon"]);
}
