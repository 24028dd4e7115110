use super::*;

const KERNEL: Role = Role { name: "kernel", alias: None, trainable: true };
const BIAS: Role = Role { name: "bias", alias: None, trainable: true };

fn leaf(path: &[&str]) -> Leaf {
    Leaf { path: path.iter().map(|name| (*name).to_owned()).collect(), roles: vec![KERNEL, BIAS] }
}

fn listed(names: &[&str]) -> Listed {
    Listed { layer: "m".to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

#[test]
fn roles_are_found_by_name_whatever_the_order() {
    let plain = leaf(&["m"]);
    let expected = [("kernel", "m_1/kernel:0"), ("bias", "m_1/bias:0")];
    assert_eq!(by_role(&plain, &["m_1/bias:0", "m_1/kernel:0"]).unwrap(), expected);
    assert_eq!(by_role(&plain, &["W", "b"]).unwrap(), [("kernel", "W"), ("bias", "b")]);
    let error = by_role(&plain, &["m/kernel:0"]).unwrap_err().to_string();
    assert!(error.contains("needs 2 weights (kernel, bias), the file lists 1"), "{error}");
}

#[test]
fn weights_within_a_model_find_their_layer_by_name() {
    let leaves = [leaf(&["m", "a"]), leaf(&["m", "b"])];
    let listed = listed(&["m/b/kernel", "m/b/bias", "m/a/kernel", "m/a/bias"]);
    let dealt = grouped(&leaves, &listed).unwrap();
    assert_eq!(dealt[0].1, ["m/a/kernel", "m/a/bias"]);
    assert_eq!(dealt[1].1, ["m/b/kernel", "m/b/bias"]);
}

#[test]
fn layers_of_one_name_in_two_models_are_told_apart_by_their_path() {
    let leaves = [leaf(&["m", "x", "conv"]), leaf(&["m", "y", "conv"])];
    let listed = listed(&["m/y/conv/kernel", "m/y/conv/bias", "m/x/conv/kernel", "m/x/conv/bias"]);
    let dealt = grouped(&leaves, &listed).unwrap();
    assert_eq!(dealt[0].1[0], "m/x/conv/kernel");
    assert_eq!(dealt[1].1[0], "m/y/conv/kernel");
}

#[test]
fn order_decides_where_names_do_not() {
    let leaves = [leaf(&["m", "a"]), leaf(&["m", "b"])];
    let listed = listed(&["a_1/kernel:0", "a_1/bias:0", "b_1/kernel:0", "b_1/bias:0"]);
    let dealt = grouped(&leaves, &listed).unwrap();
    assert_eq!(dealt[1].1[0], "b_1/kernel:0");
    assert!(grouped(&leaves[..1], &listed).is_err());
}

#[test]
fn mismatches_are_named_both_ways() {
    let needed = BTreeMap::from([("conv_1", vec![leaf(&["conv_1"])]), ("m", vec![leaf(&["m"])])]);
    let error = check_names(&needed, &[listed(&["m/kernel:0"]), Listed { layer: "x".into(), names: vec![] }]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("needs weights for \"conv_1\""), "{error}");
    assert!(error.contains("has weights for \"x\""), "{error}");
}
