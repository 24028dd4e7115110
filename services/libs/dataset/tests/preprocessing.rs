//! The preprocessing record on its way through JSON, and what is refused.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::{ChannelOrder, Preprocessing, ResizeFilter};
use serde_json::{Value, json};

fn deepid() -> Value {
    json!({
        "height": 55, "width": 47, "channels": 3,
        "layout": "nhwc", "channel_order": "rgb", "scale": 255.0
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut record = deepid();
    record[key] = value;
    record
}

fn parse(record: Value) -> Result<Preprocessing, serde_json::Error> {
    serde_json::from_value(record)
}

#[test]
fn a_record_round_trips_and_keeps_its_digest() {
    let full = json!({
        "height": 224, "width": 200, "channels": 3, "layout": "nchw", "channel_order": "bgr", "scale": 255.0,
        "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        "resize": {"filter": "catmull-rom", "antialias": false, "crop": "center-crop",
                   "exif_orientation": "ignore"},
        "alpha": "blend-on-white"
    });
    let record = parse(full).unwrap();
    assert_eq!(record.shape(7), [7, 3, 224, 200]);
    let again = parse(serde_json::to_value(&record).unwrap()).unwrap();
    assert_eq!(again, record);
    assert_eq!(again.digest(), record.digest());
}

#[test]
fn equal_records_have_equal_digests_however_they_are_written() {
    let short = parse(deepid()).unwrap();
    let long = parse(with("alpha", json!("refuse"))).unwrap();
    assert_eq!(short.digest(), long.digest());
    assert_eq!(
        short.digest(),
        "58ae22a75f948b4255d3af853adb85a24f233d2f249fdd398685e9fb7c7eeb7c",
        "the digest is stored with calibrations: a change needs a migration"
    );
    let filter = |rule| parse(with("resize", rule)).unwrap();
    let brief = filter(json!({"filter": "triangle"}));
    let complete = filter(json!({"filter": "triangle", "antialias": true, "crop": "stretch",
                                 "exif_orientation": "apply"}));
    assert_eq!(brief.digest(), complete.digest());
    assert_eq!(brief.resize().map(|rule| rule.filter), Some(ResizeFilter::Triangle));
}

#[test]
fn every_part_makes_another_digest() {
    let changed = [
        with("height", json!(56)),
        with("layout", json!("nchw")),
        with("channel_order", json!("bgr")),
        with("scale", json!(1.0)),
        with("mean", json!([0.0, 0.0, 0.0])),
        with("std", json!([1.0, 1.0, 1.0])),
        with("resize", json!({"filter": "nearest"})),
        with("alpha", json!("drop")),
    ];
    let mut digests: Vec<String> =
        changed.into_iter().map(|record| parse(record).unwrap().digest()).collect();
    digests.push(parse(deepid()).unwrap().digest());
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 9);
}

#[test]
fn records_whose_parts_do_not_agree_are_refused() {
    for (record, words) in [
        (with("height", json!(0)), "height is 0"),
        (with("width", json!(8193)), "width is 8193"),
        (with("channels", json!(1)), "channels is 1"),
        (with("channels", json!(4)), "channels is 4"),
        (with("channel_order", json!("grey")), "channels is 3"),
        (with("scale", json!(0.0)), "scale is 0"),
        (with("scale", json!(-255.0)), "scale is -255"),
        (with("scale", json!(1e-40)), "scale"),
        (with("scale", json!(1e300)), "scale"),
        (with("mean", json!([0.5])), "mean has 1 values"),
        (with("std", json!([1.0, 0.0, 1.0])), "std[1] is 0"),
        (with("std", json!([1.0, 1.0, -1.0])), "std[2] is -1"),
        (with("layout", json!("hwc")), "unknown variant"),
        (with("gamma", json!(2.2)), "unknown field"),
        (with("resize", json!({"filter": "triangle", "blur": 1})), "unknown field"),
    ] {
        let error = parse(record.clone()).unwrap_err().to_string();
        assert!(error.contains(words), "{record}: {error}");
    }
}

#[test]
fn a_request_may_swap_colours_but_not_lose_them() {
    let record = parse(deepid()).unwrap();
    let swapped = record.with_channel_order(ChannelOrder::Bgr).unwrap();
    assert_eq!(swapped.channel_order(), ChannelOrder::Bgr);
    assert_ne!(swapped.digest(), record.digest());
    let error = record.with_channel_order(ChannelOrder::Grey).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidField);
    assert_eq!(error.field().as_deref(), Some("preprocessing.channels"));
}
