//! The preprocessing record: how a picture becomes the numbers a network was trained on.
//!
//! The steps, in order: turn upright (if the resize rule says so), resolve alpha, bring to the network's
//! channel count, resize, divide by `scale`, subtract `mean`, divide by `std`, and put channels and axes in
//! the network's order.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use gifthorse_api::catalogue::{Coded, ErrorCode};

/// The longest side of a network's input, in pixels.
pub const MAX_SIDE: u32 = 8192;

/// Order of an image tensor's axes after the batch axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[N, H, W, C]`, channels last: Keras.
    Nhwc,
    /// `[N, C, H, W]`, channels first: `PyTorch`.
    Nchw,
}

/// Which colour the network's channels are, given that a decoded picture is red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// The file's channels are fed as they are: red first.
    Rgb,
    /// The file's first and third channel change places before feeding.
    ///
    /// Right for a network trained on blue-first arrays, and equally for files that were themselves stored
    /// with red and blue swapped and meet a red-first network.
    Bgr,
    /// One channel; colour is reduced to luma (0.299 R + 0.587 G + 0.114 B).
    Grey,
}

impl ChannelOrder {
    /// How many channels the network takes: 1 or 3.
    pub const fn channels(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Grey => 1,
        }
    }
}

/// What to do with a picture that has an alpha channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlphaRule {
    /// The picture is refused, even when it is opaque everywhere.
    #[default]
    Refuse,
    /// The alpha channel is thrown away.
    Drop,
    /// The picture is laid over black.
    BlendOnBlack,
    /// The picture is laid over white.
    BlendOnWhite,
}

/// The weighting of neighbours when a picture is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeFilter {
    /// The nearest pixel.
    Nearest,
    /// Linear, "bilinear"; support 1.
    Triangle,
    /// Cubic with a = -1/2, "bicubic"; support 2.
    CatmullRom,
    /// Gaussian with a deviation of half a pixel; support 3.
    Gaussian,
    /// Windowed sinc; support 3.
    Lanczos3,
}

/// What happens when the picture's sides have another ratio than the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropRule {
    /// Both sides are resized independently.
    #[default]
    Stretch,
    /// The largest central part with the input's ratio is taken.
    CenterCrop,
    /// The whole picture is kept and centred on black (level 0 before scale and mean).
    Letterbox,
}

/// Whether the orientation a camera wrote into the file is heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExifOrientation {
    /// The picture is turned upright first.
    #[default]
    Apply,
    /// The pixels are taken as stored.
    Ignore,
}

/// How a picture of another size is brought to the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResizeRule {
    /// The weighting of neighbours.
    pub filter: ResizeFilter,
    /// Widen the filter when shrinking, as Pillow does; off, only the support around the sampled point
    /// counts, as in `OpenCV` and in TensorFlow's default. The nearest filter has nothing to widen.
    #[serde(default = "yes")]
    pub antialias: bool,
    /// What happens to another ratio of sides.
    #[serde(default)]
    pub crop: CropRule,
    /// Whether the camera's orientation is heeded.
    #[serde(default)]
    pub exif_orientation: ExifOrientation,
}

const fn yes() -> bool {
    true
}

/// A positive, finite divisor of pixel levels: 255 brings levels to 0..1, 1 leaves them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Scale(f32);

impl Scale {
    /// The divisor, if it is positive, finite and not subnormal.
    pub fn new(divisor: f32) -> Result<Self, PreprocessingError> {
        let valid = divisor.is_normal() && divisor > 0.0;
        if valid { Ok(Self(divisor)) } else { Err(PreprocessingError::Scale { value: divisor }) }
    }

    /// The number.
    pub const fn divisor(self) -> f32 {
        self.0
    }
}

impl TryFrom<f32> for Scale {
    type Error = PreprocessingError;

    fn try_from(divisor: f32) -> Result<Self, PreprocessingError> {
        Self::new(divisor)
    }
}

impl From<Scale> for f32 {
    fn from(scale: Scale) -> Self {
        scale.0
    }
}

/// The record as it is written down, before it is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreprocessingRecord {
    /// Rows of the network's input.
    pub height: u32,
    /// Columns of the network's input.
    pub width: u32,
    /// Channels of the network's input: 3, or 1 when `channel_order` is grey.
    pub channels: u32,
    /// Axes of the network's input.
    pub layout: Layout,
    /// Colours of the network's channels.
    pub channel_order: ChannelOrder,
    /// Divisor of the levels 0..255.
    pub scale: Scale,
    /// Subtracted from scaled levels, one value a channel in the network's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Divides what is left, one value a channel in the network's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// How other sizes are taken; without it they are refused and stored orientations are ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<ResizeRule>,
    /// What becomes of an alpha channel.
    #[serde(default)]
    pub alpha: AlphaRule,
}

/// A checked preprocessing record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PreprocessingRecord", into = "PreprocessingRecord")]
pub struct Preprocessing(PreprocessingRecord);

impl Preprocessing {
    /// The record, if its parts agree.
    pub fn new(record: PreprocessingRecord) -> Result<Self, PreprocessingError> {
        for (side, pixels) in [("height", record.height), ("width", record.width)] {
            if pixels == 0 || pixels > MAX_SIDE {
                return Err(PreprocessingError::Side { side, pixels });
            }
        }
        let expected = record.channel_order.channels();
        if record.channels as usize != expected {
            let (order, found) = (record.channel_order, record.channels);
            return Err(PreprocessingError::Channels { order, expected, found });
        }
        check_statistic("mean", record.mean.as_deref(), expected, f32::is_finite)?;
        check_statistic("std", record.std.as_deref(), expected, |value| value.is_normal() && value > 0.0)?;
        Ok(Self(record))
    }

    /// Rows of the network's input.
    pub const fn height(&self) -> usize {
        self.0.height as usize
    }

    /// Columns of the network's input.
    pub const fn width(&self) -> usize {
        self.0.width as usize
    }

    /// Channels of the network's input: 1 or 3.
    pub const fn channels(&self) -> usize {
        self.0.channels as usize
    }

    /// Axes of the network's input.
    pub const fn layout(&self) -> Layout {
        self.0.layout
    }

    /// Colours of the network's channels.
    pub const fn channel_order(&self) -> ChannelOrder {
        self.0.channel_order
    }

    /// Divisor of the levels.
    pub const fn scale(&self) -> Scale {
        self.0.scale
    }

    /// Subtracted from scaled levels, one value a channel.
    pub fn mean(&self) -> Option<&[f32]> {
        self.0.mean.as_deref()
    }

    /// Divides what is left, one value a channel.
    pub fn std(&self) -> Option<&[f32]> {
        self.0.std.as_deref()
    }

    /// How other sizes are taken.
    pub const fn resize(&self) -> Option<&ResizeRule> {
        self.0.resize.as_ref()
    }

    /// What becomes of an alpha channel.
    pub const fn alpha(&self) -> AlphaRule {
        self.0.alpha
    }

    /// Shape of `count` prepared images: `[count, H, W, C]` or `[count, C, H, W]`.
    pub const fn shape(&self, count: usize) -> [usize; 4] {
        match self.0.layout {
            Layout::Nhwc => [count, self.height(), self.width(), self.channels()],
            Layout::Nchw => [count, self.channels(), self.height(), self.width()],
        }
    }

    /// This record with another channel order, as one request may ask; red-first and blue-first change
    /// places, grey and colour do not.
    pub fn with_channel_order(&self, order: ChannelOrder) -> Result<Self, PreprocessingError> {
        Self::new(PreprocessingRecord { channel_order: order, ..self.0.clone() })
    }

    /// SHA-256 of the record's JSON text with its keys in the order of [`PreprocessingRecord`] and every
    /// default written out, in lower-case hexadecimal: equal records have equal digests.
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a record of plain numbers and words always has a JSON form"
    )]
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(&self.0).expect("a record has a JSON form");
        hex::encode(Sha256::digest(json))
    }
}

fn check_statistic(
    statistic: &'static str,
    values: Option<&[f32]>,
    channels: usize,
    valid: impl Fn(f32) -> bool,
) -> Result<(), PreprocessingError> {
    let Some(values) = values else { return Ok(()) };
    if values.len() != channels {
        return Err(PreprocessingError::StatisticLength {
            statistic,
            expected: channels,
            found: values.len(),
        });
    }
    match values.iter().position(|value| !valid(*value)) {
        Some(channel) => Err(PreprocessingError::Statistic { statistic, channel, value: values[channel] }),
        None => Ok(()),
    }
}

impl TryFrom<PreprocessingRecord> for Preprocessing {
    type Error = PreprocessingError;

    fn try_from(record: PreprocessingRecord) -> Result<Self, PreprocessingError> {
        Self::new(record)
    }
}

impl From<Preprocessing> for PreprocessingRecord {
    fn from(preprocessing: Preprocessing) -> Self {
        preprocessing.0
    }
}

/// Why a preprocessing record is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessingError {
    /// A side is zero or too long.
    #[error("preprocessing {side} is {pixels}: give 1 to {MAX_SIDE} pixels")]
    Side {
        /// `height` or `width`.
        side: &'static str,
        /// What was given.
        pixels: u32,
    },
    /// Channel count and channel order disagree.
    #[error("preprocessing channels is {found}, but the channel order {order:?} has {expected}")]
    Channels {
        /// The channel order.
        order: ChannelOrder,
        /// Its channel count.
        expected: usize,
        /// The count given.
        found: u32,
    },
    /// The scale cannot divide.
    #[error("preprocessing scale is {value}: give a positive finite divisor, 255 for levels of 0..1")]
    Scale {
        /// What was given.
        value: f32,
    },
    /// Mean or std has another length than there are channels.
    #[error("preprocessing {statistic} has {found} values, the network has {expected} channels")]
    StatisticLength {
        /// `mean` or `std`.
        statistic: &'static str,
        /// The channel count.
        expected: usize,
        /// The values given.
        found: usize,
    },
    /// A mean is not finite or a deviation not positive.
    #[error("preprocessing {statistic}[{channel}] is {value}: give finite means and positive deviations")]
    Statistic {
        /// `mean` or `std`.
        statistic: &'static str,
        /// Which channel.
        channel: usize,
        /// What was given.
        value: f32,
    },
}

impl Coded for PreprocessingError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidField
    }

    fn field(&self) -> Option<String> {
        Some(match self {
            Self::Side { side, .. } => format!("preprocessing.{side}"),
            Self::Channels { .. } => "preprocessing.channels".to_owned(),
            Self::Scale { .. } => "preprocessing.scale".to_owned(),
            Self::StatisticLength { statistic, .. } => format!("preprocessing.{statistic}"),
            Self::Statistic { statistic, channel, .. } => format!("preprocessing.{statistic}[{channel}]"),
        })
    }
}
