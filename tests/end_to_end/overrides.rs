//! What one request changes of a model's preprocessing, and the ways in beside pictures.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1;
use gifthorse_api::v1::channel_order::Kind as Order;
use gifthorse_api::v1::classify_request::Input;
use gifthorse_api::v1::guard_client::GuardClient;
use gifthorse_api::v1::image_tensor::Content;
use gifthorse_api::v1::layout::Kind as Layout;
use gifthorse_tests::house::House;
use tonic::transport::Channel;

use crate::support::calls::{
    assert_close, assert_refused, classify, import, import_plain, picture, probabilities, specification,
    tensor,
};
use crate::support::network::{CHANNELS, Ending, HEIGHT, Linear, WIDTH};
use crate::support::pictures::{exchanged, levels, png, prepared};

const MODEL: &str = "models/faces";

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn with(request: v1::ClassifyRequest, change: v1::PreprocessingOverride) -> v1::ClassifyRequest {
    v1::ClassifyRequest { preprocessing_override: Some(change), ..request }
}

fn order(order: Order) -> v1::PreprocessingOverride {
    v1::PreprocessingOverride { channel_order: order.into(), ..Default::default() }
}

fn scale(scale: f64) -> v1::PreprocessingOverride {
    v1::PreprocessingOverride { scale, ..Default::default() }
}

/// All probabilities, compared to the bit by the callers.
async fn answer(guard: &mut GuardClient<Channel>, request: v1::ClassifyRequest) -> Vec<f64> {
    probabilities(&classify(guard, request).await.unwrap())
}

/// `[H, W, C]` to `[C, H, W]`.
fn channels_first<T: Copy>(values: &[T]) -> Vec<T> {
    (0..CHANNELS).flat_map(|channel| values.iter().skip(channel).step_by(CHANNELS).copied()).collect()
}

#[tokio::test]
async fn tensors_answer_what_the_picture_answers_to_the_bit() {
    let house = House::start().await;
    let mut guard = house.guard().await;
    let network = Linear::new(1);
    import_plain(&mut house.models().await, "faces", &network.onnx(Ending::Softmax)).await;
    for seed in 0..5 {
        let levels = levels(seed);
        let floats: Vec<f32> = levels.iter().map(|level| f32::from(*level)).collect();
        let from_picture = answer(&mut guard, picture(MODEL, png(&levels))).await;
        assert_close(&from_picture, &network.answers(&prepared(&levels, 255.0)));
        let bytes = tensor(MODEL, Content::PixelsUint8, levels.clone());
        assert_eq!(answer(&mut guard, bytes).await, from_picture);
        let singles = tensor(MODEL, Content::PixelsFp32, little_endian(&floats));
        assert_eq!(answer(&mut guard, singles).await, from_picture);
        let fed = tensor(MODEL, Content::PreparedFp32, little_endian(&prepared(&levels, 255.0)));
        assert_eq!(answer(&mut guard, fed).await, from_picture);

        let mut first = tensor(MODEL, Content::PixelsUint8, channels_first(&levels));
        let Some(Input::Tensor(sent)) = &mut first.input else { panic!("a tensor") };
        sent.shape = [CHANNELS, HEIGHT, WIDTH].map(|side| side as i32).to_vec();
        let layout = v1::PreprocessingOverride { layout: Layout::Nchw.into(), ..Default::default() };
        assert_eq!(answer(&mut guard, with(first, layout)).await, from_picture);
    }
}

#[tokio::test]
async fn exchanged_channels_are_put_right_to_the_bit() {
    let house = House::start().await;
    let mut guard = house.guard().await;
    import_plain(&mut house.models().await, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    let levels = levels(1);
    let right = answer(&mut guard, picture(MODEL, png(&levels))).await;
    let wrong = answer(&mut guard, picture(MODEL, png(&exchanged(&levels)))).await;
    assert_ne!(right, wrong, "the order of the channels matters");
    let put_right = with(picture(MODEL, png(&exchanged(&levels))), order(Order::Bgr));
    assert_eq!(answer(&mut guard, put_right).await, right);
    let stated = with(picture(MODEL, png(&levels)), order(Order::Rgb));
    assert_eq!(answer(&mut guard, stated).await, right);
    let bytes = tensor(MODEL, Content::PixelsUint8, exchanged(&levels));
    assert_eq!(answer(&mut guard, with(bytes, order(Order::Bgr))).await, right);
    let grey = with(picture(MODEL, png(&levels)), order(Order::Grey));
    assert_refused(classify(&mut guard, grey).await, ErrorCode::InvalidField, "channel order");
}

#[tokio::test]
async fn records_and_overrides_say_the_same() {
    let house = House::start().await;
    let (mut models, mut guard) = (house.models().await, house.guard().await);
    let file = Linear::new(1).onnx(Ending::Softmax);
    import_plain(&mut models, "faces", &file).await;
    for (name, preprocessing) in [
        ("divided", v1::Preprocessing { scale: 64.0, ..Default::default() }),
        ("bgr", v1::Preprocessing { channel_order: Order::Bgr.into(), ..Default::default() }),
        (
            "normed",
            v1::Preprocessing {
                mean: vec![0.25, 0.5, 0.125],
                standard_deviation: vec![0.5, 0.25, 2.0],
                ..Default::default()
            },
        ),
    ] {
        let asked =
            v1::ImportModelSpecification { preprocessing: Some(preprocessing), ..specification(name) };
        import(&mut models, asked, &file).await.unwrap();
    }
    let levels = levels(1);
    let divided = answer(&mut guard, picture("models/divided", png(&levels))).await;
    assert_eq!(answer(&mut guard, with(picture(MODEL, png(&levels)), scale(64.0))).await, divided);
    let back = with(picture("models/divided", png(&levels)), scale(255.0));
    assert_eq!(answer(&mut guard, back).await, answer(&mut guard, picture(MODEL, png(&levels))).await);

    let bgr = answer(&mut guard, picture("models/bgr", png(&levels))).await;
    assert_eq!(bgr, answer(&mut guard, picture(MODEL, png(&exchanged(&levels)))).await);

    let (mean, deviation) = ([0.25, 0.5, 0.125], [0.5, 0.25, 2.0]);
    let normed: Vec<f32> = prepared(&levels, 255.0)
        .iter()
        .enumerate()
        .map(|(index, value)| (value - mean[index % CHANNELS]) / deviation[index % CHANNELS])
        .collect();
    let fed = tensor(MODEL, Content::PreparedFp32, little_endian(&normed));
    let from_picture = answer(&mut guard, picture("models/normed", png(&levels))).await;
    assert_eq!(answer(&mut guard, fed).await, from_picture);

    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        let refused = classify(&mut guard, with(picture(MODEL, png(&levels)), scale(wrong))).await;
        assert_refused(refused, ErrorCode::InvalidField, "scale");
    }
}

#[tokio::test]
async fn a_stream_answers_each_image_in_its_place() {
    let house = House::start().await;
    let mut guard = house.guard().await;
    import_plain(&mut house.models().await, "faces", &Linear::new(1).onnx(Ending::Softmax)).await;
    let requests: Vec<_> = (0..30)
        .map(|index| {
            let file = if index % 5 == 2 { b"no picture".to_vec() } else { png(&levels(index)) };
            v1::ClassifyStreamRequest { id: format!("p{index}"), request: Some(picture(MODEL, file)) }
        })
        .collect();
    let mut answers = guard.classify_stream(futures::stream::iter(requests)).await.unwrap().into_inner();
    for index in 0..30 {
        let item = answers.message().await.unwrap().expect("one answer an image");
        assert_eq!(item.id, format!("p{index}"));
        match item.outcome.unwrap() {
            v1::classify_stream_response::Outcome::Error(error) => {
                assert_eq!((index % 5, error.reason.as_str()), (2, "IMAGE_INVALID"));
            }
            v1::classify_stream_response::Outcome::Response(response) => {
                let alone = answer(&mut house.guard().await, picture(MODEL, png(&levels(index)))).await;
                assert_eq!(probabilities(&response), alone);
            }
        }
    }
    assert!(answers.message().await.unwrap().is_none());
}
