//! From a class name and its configuration to a layer.

use serde_json::Value;

use super::activation::{Activation, Generation};
use super::fault::damaged;
use super::layer::{
    BatchNormalization, Convolution, Dense, Depthwise, Interpolation, Layer, Merge, Pooled, Separable,
    Sliding,
};
use super::settings::Settings;
use crate::NetworkError;

/// Layers that do something in training only.
const TRAINING_ONLY: &[&str] = &[
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout2D",
];

/// Layers that vary the pictures of a training.
const AUGMENTING: &[&str] = &[
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
];

/// Whether a serialised layer is one that varies the pictures of a training.
pub(super) fn augments(layer: &Value) -> bool {
    layer.get("class_name").and_then(Value::as_str).is_some_and(|class| AUGMENTING.contains(&class))
}

/// Parses a layer; none when the class is no layer this reader understands.
pub(super) fn parse(
    class: &str,
    settings: Settings<'_>,
    generation: Generation,
) -> Result<Option<Layer>, NetworkError> {
    if let Some(activation) = Activation::of_class(class, settings, generation)? {
        return Ok(Some(Layer::Activation(activation)));
    }
    if TRAINING_ONLY.contains(&class) || AUGMENTING.contains(&class) {
        return Ok(Some(Layer::Identity));
    }
    Ok(Some(match class {
        "Conv2D" | "Convolution2D" => Layer::Convolution(convolution(settings, generation)?),
        "DepthwiseConv2D" | "DepthwiseConvolution2D" => Layer::Depthwise(Depthwise {
            sliding: kernel(settings)?,
            multiplier: settings.count_or("depth_multiplier", 1)?,
            bias: settings.flag("use_bias", true)?,
            activation: Activation::of_layer(settings, generation)?,
        }),
        "SeparableConv2D" | "SeparableConvolution2D" => Layer::Separable(Separable {
            sliding: kernel(settings)?,
            multiplier: settings.count_or("depth_multiplier", 1)?,
            filters: settings.count("filters")?,
            bias: settings.flag("use_bias", true)?,
            activation: Activation::of_layer(settings, generation)?,
        }),
        "Dense" => Layer::Dense(dense(settings, generation)?),
        "MaxPooling2D" | "MaxPool2D" => Layer::Pooling(Pooled::Maximum, pooling(settings)?),
        "AveragePooling2D" | "AvgPool2D" => Layer::Pooling(Pooled::Average, pooling(settings)?),
        "GlobalMaxPooling2D" | "GlobalMaxPool2D" => global_pooling(Pooled::Maximum, settings)?,
        "GlobalAveragePooling2D" | "GlobalAvgPool2D" => global_pooling(Pooled::Average, settings)?,
        "BatchNormalization" | "BatchNormalizationV1" | "BatchNormalizationV2" => {
            Layer::BatchNormalization(batch_normalization(settings)?)
        }
        "PReLU" => Layer::ParametricRelu { shared_axes: shared_axes(settings)? },
        "Add" => Layer::Merge(Merge::Add),
        "Subtract" => Layer::Merge(Merge::Subtract),
        "Multiply" => Layer::Merge(Merge::Multiply),
        "Average" => Layer::Merge(Merge::Average),
        "Maximum" => Layer::Merge(Merge::Maximum),
        "Minimum" => Layer::Merge(Merge::Minimum),
        "Concatenate" => Layer::Concatenate { axis: settings.axis(-1)? },
        "Flatten" => Layer::Flatten { format: settings.data_format()? },
        "Reshape" => Layer::Reshape { target: settings.integers("target_shape")? },
        "Permute" => Layer::Permute { axes: permutation(settings)? },
        "ZeroPadding2D" => {
            Layer::ZeroPadding { borders: settings.borders("padding", 1)?, format: settings.data_format()? }
        }
        "Cropping2D" => {
            Layer::Cropping { borders: settings.borders("cropping", 0)?, format: settings.data_format()? }
        }
        "UpSampling2D" => Layer::UpSampling {
            factors: settings.pair("size", Some([2, 2]))?,
            interpolation: interpolation(settings)?,
            format: settings.data_format()?,
        },
        "Rescaling" => rescaling(settings)?,
        _ => return Ok(None),
    }))
}

/// The window of a convolution.
fn kernel(settings: Settings<'_>) -> Result<Sliding, NetworkError> {
    Ok(Sliding {
        size: settings.pair("kernel_size", None)?,
        strides: settings.pair("strides", Some([1, 1]))?,
        dilation: settings.pair("dilation_rate", Some([1, 1]))?,
        padding: settings.padding()?,
        format: settings.data_format()?,
    })
}

/// The window of a pooling; its stride is the window's size unless given.
fn pooling(settings: Settings<'_>) -> Result<Sliding, NetworkError> {
    let size = settings.pair("pool_size", Some([2, 2]))?;
    Ok(Sliding {
        size,
        strides: settings.pair("strides", Some(size))?,
        dilation: [1, 1],
        padding: settings.padding()?,
        format: settings.data_format()?,
    })
}

fn convolution(settings: Settings<'_>, generation: Generation) -> Result<Convolution, NetworkError> {
    if settings.get("lora_rank").is_some() {
        return Err(settings.unsupported("lora_rank", "merge the low-rank weights before saving"));
    }
    let convolution = Convolution {
        sliding: kernel(settings)?,
        filters: settings.count("filters")?,
        groups: settings.count_or("groups", 1)?,
        bias: settings.flag("use_bias", true)?,
        activation: Activation::of_layer(settings, generation)?,
    };
    if convolution.filters.is_multiple_of(convolution.groups) {
        Ok(convolution)
    } else {
        Err(settings.wrong("filters", "a multiple of groups"))
    }
}

fn dense(settings: Settings<'_>, generation: Generation) -> Result<Dense, NetworkError> {
    for key in ["lora_rank", "quantization_config"] {
        if settings.get(key).is_some() {
            return Err(settings.unsupported(key, "save the network with plain float32 weights"));
        }
    }
    Ok(Dense {
        units: settings.count("units")?,
        bias: settings.flag("use_bias", true)?,
        activation: Activation::of_layer(settings, generation)?,
    })
}

fn global_pooling(pooled: Pooled, settings: Settings<'_>) -> Result<Layer, NetworkError> {
    let keep_axes = settings.flag("keepdims", false)?;
    Ok(Layer::GlobalPooling { pooled, format: settings.data_format()?, keep_axes })
}

fn batch_normalization(settings: Settings<'_>) -> Result<BatchNormalization, NetworkError> {
    if settings.flag("renorm", false)? {
        return Err(settings.unsupported("renorm", "train the network without renormalisation"));
    }
    let epsilon = settings.number("epsilon", 1e-3)?;
    if epsilon < 0.0 {
        return Err(settings.wrong("epsilon", "a number not below zero"));
    }
    Ok(BatchNormalization {
        axis: settings.axis(-1)?,
        epsilon,
        center: settings.flag("center", true)?,
        scale: settings.flag("scale", true)?,
    })
}

fn shared_axes(settings: Settings<'_>) -> Result<Vec<usize>, NetworkError> {
    if settings.get("shared_axes").is_none() {
        return Ok(Vec::new());
    }
    let axes = settings.integers("shared_axes")?.into_iter().map(|axis| usize::try_from(axis).ok());
    axes.map(|axis| axis.filter(|axis| *axis > 0))
        .collect::<Option<_>>()
        .ok_or_else(|| settings.wrong("shared_axes", "axes counted from 1"))
}

fn permutation(settings: Settings<'_>) -> Result<Vec<usize>, NetworkError> {
    let axes = settings.integers("dims")?;
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if axes.is_empty() || !sorted.iter().copied().eq(1..=axes.len() as i64) {
        return Err(settings.wrong("dims", "each axis from 1 once"));
    }
    Ok(axes.into_iter().map(|axis| axis as usize).collect())
}

fn interpolation(settings: Settings<'_>) -> Result<Interpolation, NetworkError> {
    match settings.text("interpolation", "nearest")? {
        "nearest" => Ok(Interpolation::Nearest),
        "bilinear" => Ok(Interpolation::Bilinear),
        _ => Err(settings.unsupported("interpolation", "use \"nearest\" or \"bilinear\"")),
    }
}

fn rescaling(settings: Settings<'_>) -> Result<Layer, NetworkError> {
    for key in ["scale", "offset"] {
        if settings.get(key).is_some_and(Value::is_array) {
            return Err(settings.unsupported(key, "use one number for all channels"));
        }
    }
    let scale = settings.optional_number("scale")?;
    let scale = scale.ok_or_else(|| damaged(format!("layer {:?} has no scale", settings.layer)))?;
    Ok(Layer::Rescaling { scale, offset: settings.number("offset", 0.0)? })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::layer::DataFormat;
    use super::super::padding::Padding;
    use super::*;

    fn parsed(class: &str, config: &Value) -> Result<Option<Layer>, NetworkError> {
        let settings = Settings { layer: "l", object: config.as_object().unwrap() };
        parse(class, settings, Generation::Two)
    }

    #[test]
    fn a_convolution_is_read_with_its_defaults() {
        let layer = parsed("Conv2D", &json!({"filters": 8, "kernel_size": 3, "padding": "same"})).unwrap();
        let expected = Convolution {
            sliding: Sliding {
                size: [3, 3],
                strides: [1, 1],
                dilation: [1, 1],
                padding: Padding::Same,
                format: DataFormat::ChannelsLast,
            },
            filters: 8,
            groups: 1,
            bias: true,
            activation: Activation::Linear,
        };
        assert_eq!(layer, Some(Layer::Convolution(expected)));
    }

    #[test]
    fn a_pooling_steps_by_its_size() {
        let Some(Layer::Pooling(Pooled::Average, sliding)) =
            parsed("AveragePooling2D", &json!({"pool_size": [3, 2], "strides": null})).unwrap()
        else {
            panic!("not a pooling");
        };
        assert_eq!(sliding.strides, [3, 2]);
    }

    #[test]
    fn wrong_configurations_are_named() {
        for (class, config, named) in [
            ("Conv2D", json!({"filters": 8}), "kernel_size"),
            ("Conv2D", json!({"filters": 7, "kernel_size": 3, "groups": 2}), "filters"),
            ("Conv2D", json!({"filters": 8, "kernel_size": 3, "padding": "causal"}), "causal"),
            ("Dense", json!({"units": "many"}), "units"),
            ("Permute", json!({"dims": [1, 1, 2]}), "dims"),
            ("UpSampling2D", json!({"interpolation": "lanczos5"}), "lanczos5"),
            ("BatchNormalization", json!({"renorm": true}), "renorm"),
            ("BatchNormalization", json!({"axis": [1, 2]}), "axis"),
        ] {
            let error = parsed(class, &config).unwrap_err().to_string();
            assert!(error.contains(named), "{class}: {error}");
        }
        assert_eq!(parsed("LSTM", &json!({})).unwrap(), None);
    }
}
