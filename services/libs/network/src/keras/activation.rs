//! Activation functions, as a layer of their own or inside another layer's configuration.

use serde_json::Value;

use super::fault::{damaged, refused, shortened, unsupported};
use super::origin;
use super::settings::Settings;
use crate::NetworkError;

/// An activation function with its constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    /// The identity.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// Keras's general `ReLU` layer.
    BoundedRelu(BoundedRelu),
    /// `x` above zero, `slope * x` below.
    LeakyRelu(f32),
    /// `x` above zero, `alpha * (exp(x) - 1)` below.
    Elu(f32),
    /// Scaled exponential linear unit with its fixed constants.
    Selu,
    /// `log(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// `clip(slope * x + 0.5, 0, 1)`: slope 0.2 up to Keras 2, 1/6 from Keras 3.
    HardSigmoid(f32),
    /// `x * clip(x / 6 + 0.5, 0, 1)`.
    HardSwish,
    /// `exp(x)`.
    Exponential,
    /// `x * sigmoid(x)`, also called silu.
    Swish,
    /// Gaussian error linear unit, exact.
    Gelu,
    /// `x * tanh(softplus(x))`.
    Mish,
    /// Softmax along an axis of the Keras tensor, the batch axis counted; negative from the end.
    Softmax(i64),
    /// Logarithm of the softmax along the last axis.
    LogSoftmax,
}

/// `maximum` at most; `x` from `threshold` on, `slope * (x - threshold)` below it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BoundedRelu {
    /// Slope below the threshold.
    pub(super) slope: f32,
    /// Where the function starts to be the identity.
    pub(super) threshold: f32,
    /// Upper bound, where there is one.
    pub(super) maximum: Option<f32>,
}

/// Functions of Keras that no image classifier here has needed.
const UNSUPPORTED: &[&str] = &[
    "celu",
    "crelu",
    "glu",
    "hard_shrink",
    "hard_tanh",
    "log_sigmoid",
    "soft_shrink",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh_shrink",
    "threshold",
];

/// Which Keras wrote the file, for the functions that changed their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Generation {
    /// Up to Keras 2, or unknown.
    #[default]
    Two,
    /// From Keras 3.
    Three,
}

impl Generation {
    /// Reads a version such as `2.4.0` or `3.15.1`.
    pub(super) fn of(version: &str) -> Self {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major >= 3) { Self::Three } else { Self::Two }
    }
}

impl Activation {
    /// The function under a Keras name.
    fn named(name: &str, generation: Generation) -> Result<Self, NetworkError> {
        let relu6 = BoundedRelu { slope: 0.0, threshold: 0.0, maximum: Some(6.0) };
        Ok(match name {
            "linear" => Self::Linear,
            "relu" => Self::Relu,
            "relu6" => Self::BoundedRelu(relu6),
            "leaky_relu" => Self::LeakyRelu(0.2),
            "elu" => Self::Elu(1.0),
            "selu" => Self::Selu,
            "softplus" => Self::Softplus,
            "softsign" => Self::Softsign,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "hard_sigmoid" if generation == Generation::Three => Self::HardSigmoid(1.0 / 6.0),
            "hard_sigmoid" => Self::HardSigmoid(0.2),
            "hard_silu" | "hard_swish" => Self::HardSwish,
            "exponential" => Self::Exponential,
            "swish" | "silu" => Self::Swish,
            "gelu" => Self::Gelu,
            "mish" => Self::Mish,
            "softmax" => Self::Softmax(-1),
            "log_softmax" => Self::LogSoftmax,
            known if UNSUPPORTED.contains(&known) => {
                return Err(unsupported(
                    format!("activation {known:?}"),
                    "use one of the common activations",
                ));
            }
            custom => return Err(refused(format!("custom activation {:?}", shortened(custom)))),
        })
    }

    /// The `activation` of a layer: a name, a serialised function, or a layer used as a function.
    pub(super) fn of_layer(settings: Settings<'_>, generation: Generation) -> Result<Self, NetworkError> {
        match settings.get("activation") {
            None => Ok(Self::Linear),
            Some(Value::String(name)) => Self::named(name, generation),
            Some(Value::Object(object)) => {
                let class = object.get("class_name").and_then(Value::as_str).unwrap_or_default();
                match object.get("config") {
                    Some(Value::String(name)) if class == "function" => {
                        origin::check_function(name, object)?;
                        Self::named(name, generation)
                    }
                    Some(Value::Object(config)) => {
                        origin::check_layer(class, object)?;
                        let inner = Settings { layer: settings.layer, object: config };
                        Self::of_class(class, inner, generation)?.ok_or_else(|| {
                            settings.unsupported("activation", "use the name of an activation")
                        })
                    }
                    _ => Err(settings.wrong("activation", "the name of an activation")),
                }
            }
            Some(_) => Err(settings.wrong("activation", "the name of an activation")),
        }
    }

    /// The activation layer of this class; none when the class is no activation.
    pub(super) fn of_class(
        class: &str,
        settings: Settings<'_>,
        generation: Generation,
    ) -> Result<Option<Self>, NetworkError> {
        let slope = |default| match settings.optional_number("negative_slope")? {
            Some(slope) => Ok(slope),
            None => settings.number("alpha", default),
        };
        Ok(Some(match class {
            "Activation" if settings.get("activation").is_none() => {
                return Err(damaged(format!("layer {:?} names no activation", shortened(settings.layer))));
            }
            "Activation" => Self::of_layer(settings, generation)?,
            "ReLU" => {
                let bounded = BoundedRelu {
                    slope: settings.number("negative_slope", 0.0)?,
                    threshold: settings.number("threshold", 0.0)?,
                    maximum: settings.optional_number("max_value")?,
                };
                let plain = BoundedRelu { slope: 0.0, threshold: 0.0, maximum: None };
                if bounded == plain { Self::Relu } else { Self::BoundedRelu(bounded) }
            }
            "LeakyReLU" => Self::LeakyRelu(slope(0.3)?),
            "ELU" => Self::Elu(settings.number("alpha", 1.0)?),
            "Softmax" => Self::Softmax(settings.axis(-1)?),
            _ => return Ok(None),
        }))
    }

    /// What the values of this function are called when they are neither logits nor softmax probabilities.
    pub(super) fn squashes(self) -> Option<&'static str> {
        match self {
            Self::Sigmoid => Some("sigmoid"),
            Self::HardSigmoid(_) => Some("hard_sigmoid"),
            Self::Tanh => Some("tanh"),
            Self::Softsign => Some("softsign"),
            Self::Exponential => Some("exponential"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(activation: &Value, generation: Generation) -> Result<Activation, NetworkError> {
        let config = json!({ "activation": activation });
        let settings = Settings { layer: "l", object: config.as_object().unwrap() };
        Activation::of_layer(settings, generation)
    }

    #[test]
    fn names_functions_and_layers_are_read() {
        assert_eq!(parsed(&json!("relu"), Generation::Two).unwrap(), Activation::Relu);
        assert_eq!(parsed(&Value::Null, Generation::Two).unwrap(), Activation::Linear);
        let function = json!({"module": "builtins", "class_name": "function", "config": "gelu",
            "registered_name": "function"});
        assert_eq!(parsed(&function, Generation::Three).unwrap(), Activation::Gelu);
        let layer = json!({"module": "keras.layers", "class_name": "LeakyReLU",
            "config": {"negative_slope": 0.5}, "registered_name": null});
        assert_eq!(parsed(&layer, Generation::Three).unwrap(), Activation::LeakyRelu(0.5));
    }

    #[test]
    fn hard_sigmoid_changed_its_slope_with_keras_3() {
        let hard = json!("hard_sigmoid");
        assert_eq!(parsed(&hard, Generation::of("2.4.0")).unwrap(), Activation::HardSigmoid(0.2));
        assert_eq!(parsed(&hard, Generation::of("3.15.1")).unwrap(), Activation::HardSigmoid(1.0 / 6.0));
        assert_eq!(Generation::of(""), Generation::Two);
        assert_eq!(Generation::of("2.4.0-tf"), Generation::Two);
    }

    #[test]
    fn foreign_functions_are_refused_by_name() {
        for activation in [
            json!("my_activation"),
            json!("Custom>relu"),
            json!({"class_name": "function", "config": "relu", "module": "evil", "registered_name": "function"}),
            json!({"class_name": "LeakyReLU", "config": {}, "module": "evil.layers"}),
            json!({"class_name": "__lambda__", "config": {"code": "..."}}),
        ] {
            let error = parsed(&activation, Generation::Two).unwrap_err();
            assert!(matches!(error, NetworkError::Refused { .. }), "{activation}: {error}");
        }
        let error = parsed(&json!("sparsemax"), Generation::Two).unwrap_err();
        assert!(matches!(error, NetworkError::Unsupported { .. }), "{error}");
    }
}
