//! From pictures and arrays to tensors, with values worked out elsewhere.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::io::Cursor;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::{
    ImageTensor, Layout, Picture, PictureLimits, PixelArray, PixelValues, Preprocessing, check_tensor,
    prepare_picture, prepare_pixels, read_picture,
};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage, RgbaImage};
use proptest::prelude::*;
use serde_json::{Value, json};

mod common;

fn record(changes: &Value) -> Preprocessing {
    let mut record = json!({
        "height": 1, "width": 2, "channels": 3, "layout": "nhwc", "channel_order": "rgb", "scale": 1.0
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

fn picture(image: impl Into<DynamicImage>) -> Picture {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    read_picture(bytes.get_ref(), &PictureLimits::default()).unwrap()
}

fn two_pixels() -> Picture {
    picture(RgbImage::from_raw(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap())
}

fn values(tensor: &ImageTensor) -> &[f32] {
    tensor.values()
}

#[test]
fn layouts_and_orders_put_every_level_where_it_belongs() {
    for (layout, order, expected) in [
        ("nhwc", "rgb", [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]),
        ("nhwc", "bgr", [30.0, 20.0, 10.0, 60.0, 50.0, 40.0]),
        ("nchw", "rgb", [10.0, 40.0, 20.0, 50.0, 30.0, 60.0]),
        ("nchw", "bgr", [30.0, 60.0, 20.0, 50.0, 10.0, 40.0]),
    ] {
        let record = record(&json!({"layout": layout, "channel_order": order}));
        let tensor = prepare_picture(&two_pixels(), &record).unwrap();
        assert_eq!(values(&tensor), expected, "{layout} {order}");
        assert_eq!(tensor.shape(), record.shape(1));
    }
}

#[test]
fn the_arithmetic_is_exact_to_the_bit() {
    let record =
        record(&json!({"scale": 255.0, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}));
    let tensor = prepare_picture(&two_pixels(), &record).unwrap();
    let step = |level: f32, mean: f32, std: f32| (level / 255.0_f32 - mean) / std;
    let expected = [
        step(10.0, 0.485, 0.229),
        step(20.0, 0.456, 0.224),
        step(30.0, 0.406, 0.225),
        step(40.0, 0.485, 0.229),
        step(50.0, 0.456, 0.224),
        step(60.0, 0.406, 0.225),
    ];
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(values(&tensor)), bits(&expected));
    assert_eq!(tensor.to_le_bytes()[..4], expected[0].to_le_bytes());
}

#[test]
fn statistics_are_in_the_networks_order() {
    let record = record(&json!({"channel_order": "bgr", "mean": [1.0, 2.0, 3.0]}));
    let tensor = prepare_picture(&two_pixels(), &record).unwrap();
    assert_eq!(values(&tensor), [29.0, 18.0, 7.0, 59.0, 48.0, 37.0]);
}

#[test]
fn grey_and_colour_meet() {
    let grey = picture(GrayImage::from_raw(2, 1, vec![7, 200]).unwrap());
    let tensor = prepare_picture(&grey, &record(&json!({}))).unwrap();
    assert_eq!(values(&tensor), [7.0, 7.0, 7.0, 200.0, 200.0, 200.0]);
    let to_grey = record(&json!({"channels": 1, "channel_order": "grey"}));
    assert_eq!(values(&prepare_picture(&grey, &to_grey).unwrap()), [7.0, 200.0]);
    assert_eq!(values(&prepare_picture(&two_pixels(), &to_grey).unwrap()), [18.0, 48.0]);
}

#[test]
fn alpha_and_size_need_a_rule() {
    let clear = picture(RgbaImage::from_raw(2, 1, vec![10, 20, 30, 0, 40, 50, 60, 255]).unwrap());
    let error = prepare_picture(&clear, &record(&json!({}))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageFormat);
    let white = prepare_picture(&clear, &record(&json!({"alpha": "blend-on-white"}))).unwrap();
    assert_eq!(values(&white), [255.0, 255.0, 255.0, 40.0, 50.0, 60.0]);
    let error = prepare_picture(&two_pixels(), &record(&json!({"height": 2}))).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageSize);
    assert!(error.to_string().contains("1 x 2"), "{error}");
    let stretched = record(&json!({"height": 2, "resize": {"filter": "nearest"}}));
    let tensor = prepare_picture(&two_pixels(), &stretched).unwrap();
    assert_eq!(values(&tensor), [10.0, 20.0, 30.0, 40.0, 50.0, 60.0].repeat(2));
}

#[test]
fn arrays_become_what_the_same_picture_becomes() {
    let record = record(&json!({"layout": "nchw", "scale": 255.0, "channel_order": "bgr"}));
    let expected = prepare_picture(&two_pixels(), &record).unwrap();
    let last = [10_u8, 20, 30, 40, 50, 60];
    let first = [10.0_f32, 40.0, 20.0, 50.0, 30.0, 60.0];
    let bytes = PixelArray::new(&[1, 1, 2, 3], Layout::Nhwc, PixelValues::U8(&last)).unwrap();
    let floats = PixelArray::new(&[1, 3, 1, 2], Layout::Nchw, PixelValues::F32(&first)).unwrap();
    assert_eq!(prepare_pixels(&bytes, &record).unwrap(), expected);
    assert_eq!(prepare_pixels(&floats, &record).unwrap(), expected);
    let batch = PixelArray::new(&[2, 1, 1, 3], Layout::Nhwc, PixelValues::U8(&last)).unwrap();
    let error = prepare_pixels(&batch, &record).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageSize);
}

#[test]
fn arrays_that_are_no_images_are_refused() {
    let code = |shape: &[u64], levels: &[f32]| {
        PixelArray::new(shape, Layout::Nhwc, PixelValues::F32(levels)).unwrap_err().code()
    };
    assert_eq!(code(&[1, 1, 1, 2], &[0.0; 2]), ErrorCode::TensorShape);
    assert_eq!(code(&[1, 1, 3], &[0.0; 3]), ErrorCode::TensorShape);
    assert_eq!(code(&[0, 1, 1, 3], &[]), ErrorCode::TensorShape);
    assert_eq!(code(&[u64::MAX, u64::MAX, 2, 3], &[]), ErrorCode::TensorShape);
    assert_eq!(code(&[1, 1, 1, 3], &[0.0; 4]), ErrorCode::TensorLength);
    assert_eq!(code(&[1, 1, 1, 3], &[0.0, f32::NAN, 0.0]), ErrorCode::TensorNotFinite);
    assert_eq!(code(&[1, 1, 1, 3], &[0.0, f32::INFINITY, 0.0]), ErrorCode::TensorNotFinite);
    assert_eq!(code(&[1, 1, 1, 3], &[0.0, 0.0, 255.5]), ErrorCode::InvalidField);
    assert_eq!(code(&[1, 1, 1, 3], &[-0.1, 0.0, 0.0]), ErrorCode::InvalidField);
}

#[test]
fn prepared_tensors_are_only_checked() {
    let record = record(&json!({}));
    let tensor = check_tensor(&[2, 1, 2, 3], vec![-3.5; 12], &record).unwrap();
    assert_eq!(tensor.shape(), [2, 1, 2, 3]);
    let code = |shape: &[u64], values| check_tensor(shape, values, &record).unwrap_err().code();
    assert_eq!(code(&[1, 3, 1, 2], vec![0.0; 6]), ErrorCode::TensorShape);
    assert_eq!(code(&[0, 1, 2, 3], vec![]), ErrorCode::TensorShape);
    assert_eq!(code(&[], vec![0.0]), ErrorCode::TensorShape);
    assert_eq!(code(&[1, 1, 2, 3], vec![0.0; 5]), ErrorCode::TensorLength);
    assert_eq!(code(&[u64::MAX, 1, 2, 3], vec![0.0; 6]), ErrorCode::TensorShape);
    assert_eq!(code(&[1, 1, 2, 3], vec![0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0]), ErrorCode::TensorNotFinite);
}

/// The seed's pictures are stored with red and blue swapped: `bgr` feeds them right.
#[test]
fn the_override_puts_the_seeds_pictures_right() {
    let Some(file) = common::test_data("csaw/images/Clean_1033.png") else { return };
    let picture = read_picture(&std::fs::read(file).unwrap(), &PictureLimits::default()).unwrap();
    let stored = record(&json!({"height": 55, "width": 47, "layout": "nchw"}));
    let right = stored.with_channel_order(gifthorse_dataset::ChannelOrder::Bgr).unwrap();
    let sums = |record: &Preprocessing| -> Vec<f64> {
        let tensor = prepare_picture(&picture, record).unwrap();
        tensor.values().chunks(55 * 47).map(|plane| plane.iter().copied().map(f64::from).sum()).collect()
    };
    assert_eq!(sums(&stored), [261_852.0, 303_758.0, 377_896.0]);
    assert_eq!(sums(&right), [377_896.0, 303_758.0, 261_852.0], "a face is more red than blue");
    let scaled = record(&json!({"height": 55, "width": 47, "scale": 255.0}));
    let tensor = prepare_picture(&picture, &scaled).unwrap();
    let middle = &tensor.values()[(27 * 47 + 23) * 3..][..3];
    assert_eq!(middle, [0.341_176_48, 0.431_372_55, 0.698_039_23], "NumPy's float32 values");
}

/// Pillow rounds to levels after each direction, we once; a level is all they may differ by.
#[test]
fn resizing_agrees_with_pillow() {
    let Some(file) = common::test_data("csaw/images/Clean_1033.png") else { return };
    let picture = read_picture(&std::fs::read(file).unwrap(), &PictureLimits::default()).unwrap();
    for (filter, height, width, sums, middle) in [
        ("triangle", 28, 24, [68_127.0, 79_009.0, 98_268.0], Some([25.0, 55.0, 99.0])),
        ("lanczos3", 28, 24, [68_114.0, 79_017.0, 98_267.0], Some([25.0, 54.0, 98.0])),
        ("catmull-rom", 112, 96, [1_088_941.0, 1_263_308.0, 1_571_535.0], None),
    ] {
        let record = record(&json!({"height": height, "width": width, "resize": {"filter": filter}}));
        let tensor = prepare_picture(&picture, &record).unwrap();
        for (channel, sum) in sums.into_iter().enumerate() {
            let found: f64 = tensor.values().iter().skip(channel).step_by(3).copied().map(f64::from).sum();
            let mean_difference = (found - sum).abs() / f64::from(height * width);
            assert!(mean_difference < 0.1, "{filter}, channel {channel}: {found} against {sum}");
        }
        for (channel, level) in middle.into_iter().flatten().enumerate() {
            let found = tensor.values()[(10 * 24 + 10) * 3 + channel];
            assert!((found - level).abs() <= 1.0, "{filter}: {found} against {level}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_size_is_brought_to_the_networks(
        (height, width) in (1..40_u32, 1..40_u32),
        (target_height, target_width) in (1..30_u32, 1..30_u32),
        filter in prop::sample::select(vec!["nearest", "triangle", "catmull-rom", "gaussian", "lanczos3"]),
        crop in prop::sample::select(vec!["stretch", "center-crop", "letterbox"]),
        antialias in any::<bool>(),
        level in any::<u8>(),
    ) {
        let record = record(&json!({
            "height": target_height, "width": target_width,
            "resize": {"filter": filter, "crop": crop, "antialias": antialias}
        }));
        let levels = vec![level; (height * width * 3) as usize];
        let shape = [1, u64::from(height), u64::from(width), 3];
        let array = PixelArray::new(&shape, Layout::Nhwc, PixelValues::U8(&levels)).unwrap();
        let tensor = prepare_pixels(&array, &record).unwrap();
        prop_assert_eq!(tensor.values().len(), (target_height * target_width * 3) as usize);
        let expected = f32::from(level);
        for value in tensor.values() {
            let bar = crop == "letterbox" && value.to_bits() == 0;
            prop_assert!(bar || value.to_bits() == expected.to_bits(), "{} became {}", level, value);
        }
    }
}
