//! Pictures of what the detectors did: the image, an overlay, the blend of both, and where the evidence lies.

use std::sync::Arc;

use gifthorse_api::v1;
use gifthorse_api::v1::image_tensor::Content;
use gifthorse_dataset::preprocessing::{ChannelOrder, Layout, Preprocessing};
use gifthorse_defence::blend::Blend;
use ndarray::{ArrayView3, Axis};

use super::measured::{MeasuredImage, MeasuredSet};
use crate::calibration::Loaded;
use crate::decision::{Decision, region_message};
use crate::error::DetectorError;
use crate::images::{Images, Pixels};

/// Pictures of each data set.
const EACH: usize = 2;

/// Illustrations of a few images of each set; of triggered sets those that were rejected come first.
pub(super) fn illustrations<'a>(
    decision: &Decision,
    calibrations: &[Arc<Loaded>],
    sets: impl Iterator<Item = (&'a MeasuredSet, &'a Images, bool)>,
) -> Result<Vec<v1::Illustration>, DetectorError> {
    let mut answers = Vec::new();
    let bank = &calibrations[0].bank;
    for (set, images, triggered) in sets {
        let rejected = |image: &MeasuredImage| {
            decision.parts.iter().any(|(part, _)| part.threshold.rejects(image.score(part, calibrations)))
        };
        let mut chosen: Vec<&MeasuredImage> = set.images.iter().collect();
        chosen.sort_by_key(|image| rejected(image) != triggered);
        for (place, image) in chosen.into_iter().take(EACH).enumerate() {
            let overlay = place % bank.len();
            let prepared = images.prepared(image.row)?;
            let blend = Blend::Add.copies(prepared.view(), bank, overlay..overlay + 1);
            let preprocessing = decision.network.preprocessing();
            let (part, _) = &decision.parts[0];
            let score = image.score(part, calibrations);
            let verdict =
                if rejected(image) { v1::verdict::Kind::Trojaned } else { v1::verdict::Kind::Clean };
            answers.push(v1::Illustration {
                dataset: set.dataset.clone(),
                index: image.row as i64,
                triggered,
                image: Some(message(images.pixels(image.row)?)),
                overlay: Some(message(shown(&bank.image(overlay), preprocessing))),
                blend: Some(message(shown(&blend.index_axis(Axis(0), 0), preprocessing))),
                evidence: image.evidence.map(region_message),
                network_label: image.prediction as i32,
                label: image.label as i32,
                verdict: verdict.into(),
                score,
                p_value: part.scores.p_value(score).as_f64(),
            });
        }
    }
    Ok(answers)
}

fn message(pixels: Pixels) -> v1::ImageTensor {
    v1::ImageTensor {
        shape: pixels.shape.map(|side| side as i32).to_vec(),
        content: Content::PixelsUint8.into(),
        data: pixels.levels.into(),
    }
}

/// A prepared image turned back into levels, cut off at black and white.
fn shown(image: &ArrayView3<'_, f32>, record: &Preprocessing) -> Pixels {
    let (height, width, channels) = (record.height(), record.width(), record.channels());
    let mut levels = Vec::with_capacity(height * width * channels);
    for row in 0..height {
        for column in 0..width {
            for channel in 0..channels {
                let source = match record.channel_order() {
                    ChannelOrder::Bgr => channels - 1 - channel,
                    ChannelOrder::Rgb | ChannelOrder::Grey => channel,
                };
                let value = match record.layout() {
                    Layout::Nhwc => image[[row, column, source]],
                    Layout::Nchw => image[[source, row, column]],
                };
                let scaled = record.std().map_or(value, |std| value * std[source]);
                let centred = record.mean().map_or(scaled, |mean| scaled + mean[source]);
                levels.push((centred * record.scale().divisor()).round().clamp(0.0, 255.0) as u8);
            }
        }
    }
    Pixels { shape: [height, width, channels], levels }
}
