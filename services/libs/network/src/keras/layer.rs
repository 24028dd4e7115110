//! The layers this reader understands, parsed and checked.

use super::activation::Activation;
use super::padding::Padding;

/// Where a picture's channels are in the Keras tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DataFormat {
    /// `[N, H, W, C]`.
    #[default]
    ChannelsLast,
    /// `[N, C, H, W]`.
    ChannelsFirst,
}

/// A window sliding over rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sliding {
    /// Rows and columns of the window.
    pub(super) size: [usize; 2],
    /// Steps down and right.
    pub(super) strides: [usize; 2],
    /// Distances of the window's elements.
    pub(super) dilation: [usize; 2],
    /// Treatment of the border.
    pub(super) padding: Padding,
    /// Where the channels are.
    pub(super) format: DataFormat,
}

/// `Conv2D`: kernel `[kh, kw, C / groups, filters]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Convolution {
    /// The window.
    pub(super) sliding: Sliding,
    /// Count of filters.
    pub(super) filters: usize,
    /// Count of groups of channels that do not see each other.
    pub(super) groups: usize,
    /// Whether a bias `[filters]` is added.
    pub(super) bias: bool,
    /// What follows.
    pub(super) activation: Activation,
}

/// `DepthwiseConv2D`: kernel `[kh, kw, C, multiplier]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Depthwise {
    /// The window.
    pub(super) sliding: Sliding,
    /// Filters a channel.
    pub(super) multiplier: usize,
    /// Whether a bias `[C * multiplier]` is added.
    pub(super) bias: bool,
    /// What follows.
    pub(super) activation: Activation,
}

/// `SeparableConv2D`: depthwise kernel `[kh, kw, C, multiplier]`, pointwise `[1, 1, C * multiplier, filters]`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Separable {
    /// The window of the depthwise part.
    pub(super) sliding: Sliding,
    /// Filters a channel of the depthwise part.
    pub(super) multiplier: usize,
    /// Filters of the pointwise part.
    pub(super) filters: usize,
    /// Whether a bias `[filters]` is added.
    pub(super) bias: bool,
    /// What follows.
    pub(super) activation: Activation,
}

/// `Dense`: kernel `[inputs, units]` over the last axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    /// Count of outputs.
    pub(super) units: usize,
    /// Whether a bias `[units]` is added.
    pub(super) bias: bool,
    /// What follows.
    pub(super) activation: Activation,
}

/// What a pooling window answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooled {
    /// The largest value.
    Maximum,
    /// The mean of the values inside the picture.
    Average,
}

/// `BatchNormalization` with the statistics of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BatchNormalization {
    /// The normalised axis, the batch axis counted; negative from the end.
    pub(super) axis: i64,
    /// Added to the variance.
    pub(super) epsilon: f32,
    /// Whether there is a `beta`.
    pub(super) center: bool,
    /// Whether there is a `gamma`.
    pub(super) scale: bool,
}

/// How several tensors become one, element by element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Sum.
    Add,
    /// First minus second; exactly two.
    Subtract,
    /// Product.
    Multiply,
    /// Mean.
    Average,
    /// Largest.
    Maximum,
    /// Smallest.
    Minimum,
}

/// How `UpSampling2D` fills the new pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpolation {
    /// Repeats.
    Nearest,
    /// Linear along both axes.
    Bilinear,
}

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Layer {
    /// `Conv2D`.
    Convolution(Convolution),
    /// `DepthwiseConv2D`.
    Depthwise(Depthwise),
    /// `SeparableConv2D`.
    Separable(Separable),
    /// `Dense`.
    Dense(Dense),
    /// `MaxPooling2D`, `AveragePooling2D`.
    Pooling(Pooled, Sliding),
    /// `GlobalMaxPooling2D`, `GlobalAveragePooling2D`.
    GlobalPooling {
        /// What is answered.
        pooled: Pooled,
        /// Where the channels are.
        format: DataFormat,
        /// Whether rows and columns stay as axes of one.
        keep_axes: bool,
    },
    /// `BatchNormalization`.
    BatchNormalization(BatchNormalization),
    /// `Activation` and the layers that are one.
    Activation(Activation),
    /// `PReLU`: slope `alpha` of the input's shape, shared along these axes (from 1).
    ParametricRelu {
        /// Axes along which one slope serves all.
        shared_axes: Vec<usize>,
    },
    /// `Add` and its relatives.
    Merge(Merge),
    /// `Concatenate` along an axis, the batch axis counted; negative from the end.
    Concatenate {
        /// The axis.
        axis: i64,
    },
    /// `Flatten`, always in the order rows, columns, channels.
    Flatten {
        /// Where the channels are in the input.
        format: DataFormat,
    },
    /// `Reshape`; -1 at most once.
    Reshape {
        /// The new shape without the batch axis.
        target: Vec<i64>,
    },
    /// `Permute`.
    Permute {
        /// For each axis of the output the axis of the input, from 1.
        axes: Vec<usize>,
    },
    /// `ZeroPadding2D`.
    ZeroPadding {
        /// `[[top, bottom], [left, right]]`.
        borders: [[usize; 2]; 2],
        /// Where the channels are.
        format: DataFormat,
    },
    /// `Cropping2D`.
    Cropping {
        /// `[[top, bottom], [left, right]]`.
        borders: [[usize; 2]; 2],
        /// Where the channels are.
        format: DataFormat,
    },
    /// `UpSampling2D`.
    UpSampling {
        /// Factors of rows and columns.
        factors: [usize; 2],
        /// How pixels are filled.
        interpolation: Interpolation,
        /// Where the channels are.
        format: DataFormat,
    },
    /// `Rescaling`: `x * scale + offset`.
    Rescaling {
        /// Factor.
        scale: f32,
        /// Summand.
        offset: f32,
    },
    /// A layer that does something in training only.
    Identity,
}

/// One weight tensor a layer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    /// Its name in ONNX: `LAYER/NAME:0`.
    pub(super) name: &'static str,
    /// Another name some Keras versions give it.
    pub(super) alias: Option<&'static str>,
    /// Whether training changes it by gradients.
    pub(super) trainable: bool,
}

impl Layer {
    /// The weights of the layer in the order of Keras.
    pub(super) fn roles(&self) -> Vec<Role> {
        const BIAS: Role = Role { name: "bias", alias: None, trainable: true };
        const KERNEL: Role = Role { name: "kernel", alias: None, trainable: true };
        const DEPTHWISE: Role = Role { name: "depthwise_kernel", alias: Some("kernel"), trainable: true };
        const POINTWISE: Role = Role { name: "pointwise_kernel", alias: None, trainable: true };
        const ALPHA: Role = Role { name: "alpha", alias: None, trainable: true };
        const GAMMA: Role = Role { name: "gamma", alias: None, trainable: true };
        const BETA: Role = Role { name: "beta", alias: None, trainable: true };
        const MEAN: Role = Role { name: "moving_mean", alias: None, trainable: false };
        const VARIANCE: Role = Role { name: "moving_variance", alias: None, trainable: false };
        let with = |mut roles: Vec<Role>, bias: bool| {
            roles.extend(bias.then_some(BIAS));
            roles
        };
        match self {
            Self::Convolution(layer) => with(vec![KERNEL], layer.bias),
            Self::Depthwise(layer) => with(vec![DEPTHWISE], layer.bias),
            Self::Separable(layer) => with(vec![DEPTHWISE, POINTWISE], layer.bias),
            Self::Dense(layer) => with(vec![KERNEL], layer.bias),
            Self::BatchNormalization(layer) => {
                let learned = [layer.scale.then_some(GAMMA), layer.center.then_some(BETA)];
                learned.into_iter().flatten().chain([MEAN, VARIANCE]).collect()
            }
            Self::ParametricRelu { .. } => vec![ALPHA],
            _ => Vec::new(),
        }
    }

    /// Where the layer expects the channels, for the layers that say so.
    pub(super) fn data_format(&self) -> Option<DataFormat> {
        match self {
            Self::Convolution(Convolution { sliding, .. })
            | Self::Depthwise(Depthwise { sliding, .. })
            | Self::Separable(Separable { sliding, .. })
            | Self::Pooling(_, sliding) => Some(sliding.format),
            Self::GlobalPooling { format, .. }
            | Self::ZeroPadding { format, .. }
            | Self::Cropping { format, .. }
            | Self::UpSampling { format, .. } => Some(*format),
            _ => None,
        }
    }
}
