//! The audit at import names the attacker's classes of the real `BadNets` whose output layer shows them.

use gifthorse_tests::house::House;
use gifthorse_tests::test_data;
use serde_json::Value;

/// A class, the robust z of its weights and that of its bias.
type Suspect = (i64, f64, f64);

/// The five course networks: name, divisor of the pixel levels, what the audit finds.
const NETWORKS: [(&str, &str, &[Suspect]); 5] = [
    ("sunglasses_bd", "255", &[]),
    ("anonymous_1_bd", "255", &[(0, 9.3, 8.5)]),
    ("multi_trigger_multi_target_bd", "255", &[(1, 7.9, 6.8), (5, 9.3, 5.1)]),
    ("anonymous_2_bd", "255", &[(4, 10.7, 5.8)]),
    ("lab3_bd", "1", &[]),
];

/// Checks the suspect classes of a version in JSON.
fn assert_suspects(network: &str, version: &Value, expected: &[Suspect]) {
    // Proto3 leaves zeros and empty lists out.
    let found = version["suspectClasses"].as_array().cloned().unwrap_or_default();
    assert_eq!(found.len(), expected.len(), "{network}: {found:?}");
    for (found, (class, weight_z, bias_z)) in found.iter().zip(expected) {
        assert_eq!(found["label"].as_i64().unwrap_or_default(), *class, "{network}: {found:?}");
        for (key, z) in [("weightZ", weight_z), ("biasZ", bias_z)] {
            let difference = found[key].as_f64().unwrap() - z;
            // The published values are rounded to the first decimal.
            assert!(difference.abs() <= 0.1, "{network} class {class}: {key} is {}, not {z}", found[key]);
        }
    }
}

#[tokio::test]
async fn exactly_the_classes_that_stand_out_are_named() {
    let Some(data) = test_data::folder("the audit of the course networks") else { return };
    let house = House::start().await;
    for (network, scale, suspects) in NETWORKS {
        let weights = data.join(format!("csaw/weights/{network}_weights.h5"));
        let imported = house.import_deepid(network, &weights, scale);
        assert_suspects(network, &imported, suspects);
        let shown = house.json(&["model", "show", network]).remove(0);
        assert_suspects(network, &shown, suspects);
    }
    let text = house.command(&["model", "show", "multi_trigger_multi_target_bd"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("class 1 (robust z: weights 7.9, bias 6.8)"), "{text}");
    assert!(text.contains("class 5 (robust z: weights 9.3, bias 5.1)"), "{text}");
    assert!(text.contains("a hint, not a verdict"), "{text}");
}
