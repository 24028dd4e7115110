//! The preprocessing record to and from its protobuf message.
//!
//! The message is what callers send, so everything in it is checked here; a record that came out is valid.

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_api::v1;

use crate::preprocessing::{
    AlphaRule, ChannelOrder, CropRule, ExifOrientation, Layout, Preprocessing, PreprocessingError,
    PreprocessingRecord, ResizeFilter, ResizeRule, Scale,
};

/// The divisor of networks that take levels of 0..1, used where a caller names none.
const DEFAULT_SCALE: f64 = 255.0;

/// What is wrong with a preprocessing message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WireError {
    /// An enum has a number we do not know, or none where one is needed.
    #[error("{field} is {value}, which is none of its values: {hint}")]
    Enum {
        /// The field.
        field: &'static str,
        /// The number found.
        value: i32,
        /// What to give.
        hint: &'static str,
    },
    /// A number does not fit.
    #[error("{field} is {value}: {hint}")]
    Number {
        /// The field.
        field: &'static str,
        /// The number found.
        value: f64,
        /// What to give.
        hint: &'static str,
    },
    /// The network says something else.
    #[error("{field} is {given}, but the network takes {found}: leave it out, or import the other network")]
    Network {
        /// The field.
        field: &'static str,
        /// What the caller gave.
        given: String,
        /// What the network takes.
        found: String,
    },
    /// The parts do not agree.
    #[error(transparent)]
    Record(#[from] PreprocessingError),
}

impl Coded for WireError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Enum { field, .. } | Self::Number { field, .. } | Self::Network { field, .. } => {
                Some(format!("preprocessing.{field}"))
            }
            Self::Record(error) => error.field(),
        }
    }
}

/// What the network itself says of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkInput {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Channels.
    pub channels: u32,
    /// Axes.
    pub layout: Layout,
}

/// The record as a message, complete.
pub fn to_message(preprocessing: &Preprocessing) -> v1::Preprocessing {
    let widened = |values: Option<&[f32]>| values.unwrap_or_default().iter().map(|v| f64::from(*v)).collect();
    v1::Preprocessing {
        height: preprocessing.height() as i32,
        width: preprocessing.width() as i32,
        channels: preprocessing.channels() as i32,
        layout: match preprocessing.layout() {
            Layout::Nhwc => v1::layout::Kind::Nhwc,
            Layout::Nchw => v1::layout::Kind::Nchw,
        }
        .into(),
        channel_order: match preprocessing.channel_order() {
            ChannelOrder::Rgb => v1::channel_order::Kind::Rgb,
            ChannelOrder::Bgr => v1::channel_order::Kind::Bgr,
            ChannelOrder::Grey => v1::channel_order::Kind::Grey,
        }
        .into(),
        scale: f64::from(preprocessing.scale().divisor()),
        mean: widened(preprocessing.mean()),
        standard_deviation: widened(preprocessing.std()),
        resize: preprocessing.resize().map(|rule| v1::ResizeRule {
            filter: match rule.filter {
                ResizeFilter::Nearest => v1::resize_rule::Filter::Nearest,
                ResizeFilter::Triangle => v1::resize_rule::Filter::Triangle,
                ResizeFilter::CatmullRom => v1::resize_rule::Filter::CatmullRom,
                ResizeFilter::Gaussian => v1::resize_rule::Filter::Gaussian,
                ResizeFilter::Lanczos3 => v1::resize_rule::Filter::Lanczos3,
            }
            .into(),
            antialias: rule.antialias,
            fit: match rule.crop {
                CropRule::Stretch => v1::resize_rule::Fit::Stretch,
                CropRule::CenterCrop => v1::resize_rule::Fit::CenterCrop,
                CropRule::Letterbox => v1::resize_rule::Fit::Letterbox,
            }
            .into(),
            apply_exif_orientation: rule.exif_orientation == ExifOrientation::Apply,
        }),
        alpha: match preprocessing.alpha() {
            AlphaRule::Refuse => v1::preprocessing::Alpha::Refuse,
            AlphaRule::Drop => v1::preprocessing::Alpha::Drop,
            AlphaRule::BlendOnBlack => v1::preprocessing::Alpha::BlendOnBlack,
            AlphaRule::BlendOnWhite => v1::preprocessing::Alpha::BlendOnWhite,
        }
        .into(),
    }
}

/// The record of a complete message, as a service answers it.
pub fn from_message(message: &v1::Preprocessing) -> Result<Preprocessing, WireError> {
    let layout = layout(message.layout)?.ok_or(WireError::Enum {
        field: "layout",
        value: message.layout,
        hint: "give NHWC or NCHW",
    })?;
    let input = NetworkInput {
        height: pixels("height", message.height)?,
        width: pixels("width", message.width)?,
        channels: pixels("channels", message.channels)?,
        layout,
    };
    complete(message, input)
}

/// The record of a message in which the importer gave what the file does not say, for a network with this
/// input. Fields left out get the network's values, or the defaults: RGB (grey for one channel), scale 255,
/// no mean, no resize rule, alpha refused.
pub fn complete(message: &v1::Preprocessing, input: NetworkInput) -> Result<Preprocessing, WireError> {
    for (field, given, found) in [
        ("height", message.height, input.height),
        ("width", message.width, input.width),
        ("channels", message.channels, input.channels),
    ] {
        if given != 0 && i64::from(given) != i64::from(found) {
            return Err(WireError::Network { field, given: given.to_string(), found: found.to_string() });
        }
    }
    if let Some(given) = layout(message.layout)?.filter(|given| *given != input.layout) {
        let (given, found) = (format!("{given:?}"), format!("{:?}", input.layout));
        return Err(WireError::Network { field: "layout", given, found });
    }
    let channel_order = channel_order(message.channel_order)?.unwrap_or(if input.channels == 1 {
        ChannelOrder::Grey
    } else {
        ChannelOrder::Rgb
    });
    let scale = if message.scale == 0.0 { DEFAULT_SCALE } else { message.scale };
    Ok(Preprocessing::new(PreprocessingRecord {
        height: input.height,
        width: input.width,
        channels: input.channels,
        layout: input.layout,
        channel_order,
        scale: Scale::new(scale as f32)?,
        mean: statistic(&message.mean),
        std: statistic(&message.standard_deviation),
        resize: message.resize.as_ref().map(resize_rule).transpose()?,
        alpha: alpha(message.alpha)?,
    })?)
}

/// The record as one request changes it: channel order and scale.
pub fn overridden(
    preprocessing: &Preprocessing,
    message: &v1::PreprocessingOverride,
) -> Result<Preprocessing, WireError> {
    let mut record = PreprocessingRecord::from(preprocessing.clone());
    if let Some(order) = channel_order(message.channel_order)? {
        record.channel_order = order;
    }
    if message.scale != 0.0 {
        record.scale = Scale::new(message.scale as f32)?;
    }
    Ok(Preprocessing::new(record)?)
}

/// The layout of this number; none for unspecified.
pub fn layout(value: i32) -> Result<Option<Layout>, WireError> {
    match v1::layout::Kind::try_from(value) {
        Ok(v1::layout::Kind::LayoutUnspecified) => Ok(None),
        Ok(v1::layout::Kind::Nhwc) => Ok(Some(Layout::Nhwc)),
        Ok(v1::layout::Kind::Nchw) => Ok(Some(Layout::Nchw)),
        Err(_) => Err(WireError::Enum { field: "layout", value, hint: "give NHWC or NCHW" }),
    }
}

/// The channel order of this number; none for unspecified.
pub fn channel_order(value: i32) -> Result<Option<ChannelOrder>, WireError> {
    match v1::channel_order::Kind::try_from(value) {
        Ok(v1::channel_order::Kind::ChannelOrderUnspecified) => Ok(None),
        Ok(v1::channel_order::Kind::Rgb) => Ok(Some(ChannelOrder::Rgb)),
        Ok(v1::channel_order::Kind::Bgr) => Ok(Some(ChannelOrder::Bgr)),
        Ok(v1::channel_order::Kind::Grey) => Ok(Some(ChannelOrder::Grey)),
        Err(_) => Err(WireError::Enum { field: "channel_order", value, hint: "give RGB, BGR or GREY" }),
    }
}

fn pixels(field: &'static str, value: i32) -> Result<u32, WireError> {
    u32::try_from(value).map_err(|_| WireError::Number {
        field,
        value: f64::from(value),
        hint: "give a positive number",
    })
}

fn statistic(values: &[f64]) -> Option<Vec<f32>> {
    (!values.is_empty()).then(|| values.iter().map(|value| *value as f32).collect())
}

fn resize_rule(message: &v1::ResizeRule) -> Result<ResizeRule, WireError> {
    use v1::resize_rule::{Filter, Fit};
    let filter = match Filter::try_from(message.filter) {
        Ok(Filter::Nearest) => ResizeFilter::Nearest,
        Ok(Filter::Triangle) => ResizeFilter::Triangle,
        Ok(Filter::CatmullRom) => ResizeFilter::CatmullRom,
        Ok(Filter::Gaussian) => ResizeFilter::Gaussian,
        Ok(Filter::Lanczos3) => ResizeFilter::Lanczos3,
        Ok(Filter::Unspecified) | Err(_) => {
            let hint = "give NEAREST, TRIANGLE, CATMULL_ROM, GAUSSIAN or LANCZOS3";
            return Err(WireError::Enum { field: "resize.filter", value: message.filter, hint });
        }
    };
    let crop = match Fit::try_from(message.fit) {
        Ok(Fit::Stretch) => CropRule::Stretch,
        Ok(Fit::CenterCrop) => CropRule::CenterCrop,
        Ok(Fit::Letterbox) => CropRule::Letterbox,
        Ok(Fit::Unspecified) | Err(_) => {
            let hint = "give STRETCH, CENTER_CROP or LETTERBOX";
            return Err(WireError::Enum { field: "resize.fit", value: message.fit, hint });
        }
    };
    let exif_orientation =
        if message.apply_exif_orientation { ExifOrientation::Apply } else { ExifOrientation::Ignore };
    Ok(ResizeRule { filter, antialias: message.antialias, crop, exif_orientation })
}

fn alpha(value: i32) -> Result<AlphaRule, WireError> {
    use v1::preprocessing::Alpha;
    match Alpha::try_from(value) {
        Ok(Alpha::Unspecified | Alpha::Refuse) => Ok(AlphaRule::Refuse),
        Ok(Alpha::Drop) => Ok(AlphaRule::Drop),
        Ok(Alpha::BlendOnBlack) => Ok(AlphaRule::BlendOnBlack),
        Ok(Alpha::BlendOnWhite) => Ok(AlphaRule::BlendOnWhite),
        Err(_) => {
            let hint = "give REFUSE, DROP, BLEND_ON_BLACK or BLEND_ON_WHITE";
            Err(WireError::Enum { field: "alpha", value, hint })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUT: NetworkInput = NetworkInput { height: 55, width: 47, channels: 3, layout: Layout::Nhwc };

    #[test]
    fn an_empty_message_gets_the_defaults() {
        let record = complete(&v1::Preprocessing::default(), INPUT).unwrap();
        assert_eq!(record.shape(1), [1, 55, 47, 3]);
        assert_eq!(record.channel_order(), ChannelOrder::Rgb);
        assert_eq!(record.scale().divisor().to_bits(), 255.0_f32.to_bits());
        assert_eq!(record.alpha(), AlphaRule::Refuse);
        let grey = complete(&v1::Preprocessing::default(), NetworkInput { channels: 1, ..INPUT }).unwrap();
        assert_eq!(grey.channel_order(), ChannelOrder::Grey);
    }

    #[test]
    fn a_full_record_round_trips() {
        let message = v1::Preprocessing {
            height: 55,
            width: 47,
            channels: 3,
            layout: v1::layout::Kind::Nhwc.into(),
            channel_order: v1::channel_order::Kind::Bgr.into(),
            scale: 1.0,
            mean: vec![0.5, 0.25, 0.125],
            standard_deviation: vec![2.0, 4.0, 8.0],
            resize: Some(v1::ResizeRule {
                filter: v1::resize_rule::Filter::CatmullRom.into(),
                antialias: true,
                fit: v1::resize_rule::Fit::Letterbox.into(),
                apply_exif_orientation: true,
            }),
            alpha: v1::preprocessing::Alpha::Drop.into(),
        };
        assert_eq!(to_message(&from_message(&message).unwrap()), message);
    }

    #[test]
    fn what_contradicts_the_network_is_refused() {
        let other_size = v1::Preprocessing { width: 48, ..Default::default() };
        let error = complete(&other_size, INPUT).unwrap_err();
        assert_eq!(error.field().as_deref(), Some("preprocessing.width"));
        let other_layout = v1::Preprocessing { layout: v1::layout::Kind::Nchw.into(), ..Default::default() };
        assert!(complete(&other_layout, INPUT).is_err());
        let grey =
            v1::Preprocessing { channel_order: v1::channel_order::Kind::Grey.into(), ..Default::default() };
        assert!(complete(&grey, INPUT).is_err(), "three channels are not grey");
        let unknown = v1::Preprocessing { alpha: 99, ..Default::default() };
        assert_eq!(complete(&unknown, INPUT).unwrap_err().field().as_deref(), Some("preprocessing.alpha"));
        let negative = v1::Preprocessing { scale: -1.0, ..Default::default() };
        assert!(complete(&negative, INPUT).is_err());
    }

    #[test]
    fn a_request_may_change_order_and_scale() {
        let record = complete(&v1::Preprocessing::default(), INPUT).unwrap();
        let swapped = v1::PreprocessingOverride {
            channel_order: v1::channel_order::Kind::Bgr.into(),
            scale: 1.0,
            layout: 0,
        };
        let changed = overridden(&record, &swapped).unwrap();
        assert_eq!(changed.channel_order(), ChannelOrder::Bgr);
        assert_eq!(changed.scale().divisor().to_bits(), 1.0_f32.to_bits());
        assert_eq!(overridden(&record, &v1::PreprocessingOverride::default()).unwrap(), record);
    }
}
