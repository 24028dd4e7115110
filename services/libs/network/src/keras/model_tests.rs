use serde_json::json;

use super::*;

fn parse(value: &Value) -> Result<Model, NetworkError> {
    Model::parse(&value.to_string(), Generation::Two)
}

fn input(name: &str) -> Value {
    json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
        "config": {"name": name, "batch_input_shape": [null, 8, 8, 3]}})
}

fn functional(layers: &Value) -> Value {
    json!({"class_name": "Model", "config": {"name": "m", "layers": layers,
        "input_layers": [["in", 0, 0]], "output_layers": [["out", 0, 0]]}})
}

#[test]
fn a_chain_without_a_start_gets_one() {
    let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 2}});
    let flatten = json!({"class_name": "Flatten",
        "config": {"name": "f", "batch_input_shape": [null, 8, 8, 3]}});
    for config in [json!([flatten, dense]), json!({"name": "s", "layers": [flatten, dense]})] {
        let model = parse(&json!({"class_name": "Sequential", "config": config})).unwrap();
        let names: Vec<_> = model.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["f_input", "f", "d"]);
        assert_eq!(model.entries[0].content, Content::Input(Some(vec![Some(8), Some(8), Some(3)])));
        assert_eq!(model.outputs, [Endpoint { entry: 2, call: 0, output: 0 }]);
    }
}

#[test]
fn a_model_within_a_model_is_read() {
    let inner = json!({"class_name": "Sequential", "name": "inner", "inbound_nodes": [[["in", 0, 0, {}]]],
        "config": {"name": "inner", "layers": [input("x"),
            {"class_name": "ReLU", "config": {"name": "r", "max_value": 6.0}}]}});
    let out = json!({"class_name": "Flatten", "name": "out", "config": {"name": "out"},
        "inbound_nodes": [[["inner", 0, 0, {}]]]});
    let model = parse(&functional(&json!([input("in"), inner, out]))).unwrap();
    let Content::Model(inner) = &model.entries[1].content else {
        panic!("not a model: {:?}", model.entries[1]);
    };
    assert_eq!(inner.style, Style::Sequential);
    assert_eq!(inner.entries[1].name, "r");
}

#[test]
fn contradictions_are_damage() {
    let out = |from: &str| {
        json!({"class_name": "Flatten", "name": "out", "config": {"name": "out"},
            "inbound_nodes": [[[from, 0, 0, {}]]]})
    };
    for (layers, named) in [
        (json!([input("in"), out("nowhere")]), "\"nowhere\""),
        (json!([input("in"), input("in"), out("in")]), "two layers"),
        (json!([input("other"), out("other")]), "\"in\""),
        (json!([input("in"), 3]), "no object"),
        (json!([input("in"), {"name": "x"}]), "class_name"),
        (json!([]), "\"in\""),
    ] {
        let error = parse(&functional(&layers)).unwrap_err();
        assert!(matches!(error, NetworkError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    for text in ["", "{", "[]", "null", "{\"class_name\": 3}", "{\"class_name\": \"Sequential\"}"] {
        assert!(matches!(Model::parse(text, Generation::Two), Err(NetworkError::Damaged { .. })), "{text}");
    }
}

#[test]
fn lambda_and_custom_layers_are_refused_and_unread_ones_named() {
    let layer = |class: &str| {
        json!({"class_name": class, "name": "out", "config": {"name": "out"},
        "inbound_nodes": [[["in", 0, 0, {}]]]})
    };
    for class in ["Lambda", "TFOpLambda", "SlicingOpLambda", "Mine>Layer", "SquareLayer"] {
        let error = parse(&functional(&json!([input("in"), layer(class)]))).unwrap_err();
        assert!(matches!(error, NetworkError::Refused { .. }), "{class}: {error}");
        assert!(error.to_string().contains(class), "{error}");
    }
    let error = parse(&functional(&json!([input("in"), layer("Conv2DTranspose")]))).unwrap_err();
    assert!(matches!(error, NetworkError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("layer \"out\" of class Conv2DTranspose"), "{error}");
}

#[test]
fn nesting_has_an_end() {
    let mut model = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [input("x")]}});
    for depth in 0..20 {
        let name = format!("m{depth}");
        model = json!({"class_name": "Sequential", "config": {"name": name, "layers": [model]}});
    }
    assert!(matches!(parse(&model), Err(NetworkError::TooLarge { .. })));
}
