//! Where a layer's code comes from: Keras's own layers are read, everything else is refused by name.

use serde_json::{Map, Value};

use super::fault::{refused, shortened, unsupported};
use crate::NetworkError;

/// Layers of Keras, in any version, that this reader knows of without being able to read them.
/// A class that is in neither list is somebody's own.
const UNREAD_CLASSES: &[&str] = &[
    "AbstractRNNCell",
    "AdditiveAttention",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Attention",
    "AugMix",
    "AutoContrast",
    "AveragePooling1D",
    "AveragePooling3D",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Cropping1D",
    "Cropping3D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "CutMix",
    "DepthwiseConv1D",
    "Discretization",
    "Dot",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "FlaxLayer",
    "GRU",
    "GRUCell",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "JaxLayer",
    "LSTM",
    "LSTMCell",
    "LayerNormalization",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPooling1D",
    "MaxPooling3D",
    "MelSpectrogram",
    "MixUp",
    "MultiHeadAttention",
    "Normalization",
    "Pipeline",
    "RMSNormalization",
    "RNN",
    "RandAugment",
    "RandomCrop",
    "RandomFourierFeatures",
    "RandomHeight",
    "RandomWidth",
    "RepeatVector",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SimpleRNN",
    "SimpleRNNCell",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "SyncBatchNormalization",
    "TextVectorization",
    "ThresholdedReLU",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding3D",
];

/// Packages whose modules are Keras itself.
const KERAS_PACKAGES: &[&str] = &["keras", "tf_keras", "tensorflow"];

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn is_keras(module: &str) -> bool {
    module.split('.').next().is_some_and(|package| KERAS_PACKAGES.contains(&package))
}

/// Checks that `entry`, serialised as class `class`, is code of Keras and not somebody's own.
pub(super) fn check_layer(class: &str, entry: &Map<String, Value>) -> Result<(), NetworkError> {
    let name = shortened(class);
    match class {
        "Lambda" | "__lambda__" => return Err(refused(format!("Lambda ({name})"))),
        "TFOpLambda" | "SlicingOpLambda" | "ClassMethod" | "InstanceMethod" | "InstanceProperty" => {
            return Err(refused(format!("call of a TensorFlow function ({name})")));
        }
        _ => {}
    }
    if let Some(registered) = text(entry, "registered_name")
        && (registered.contains('>') || registered != class)
    {
        return Err(refused(format!("custom object {:?}", shortened(registered))));
    }
    if class.contains('>') {
        return Err(refused(format!("custom object {name:?}")));
    }
    match text(entry, "module") {
        Some(module) if !is_keras(module) => {
            Err(refused(format!("custom object {name:?} of module {:?}", shortened(module))))
        }
        _ => Ok(()),
    }
}

/// Checks that a serialised function is one of Keras's own.
pub(super) fn check_function(name: &str, entry: &Map<String, Value>) -> Result<(), NetworkError> {
    let registered = text(entry, "registered_name").is_none_or(|known| known == "function" || known == name);
    let module = text(entry, "module").is_none_or(|module| module == "builtins" || is_keras(module));
    if registered && module { Ok(()) } else { Err(refused(format!("custom function {:?}", shortened(name)))) }
}

/// The error for a class that is no layer this reader can read, whose origin was checked already.
pub(super) fn unread(class: &str, layer: &str, entry: &Map<String, Value>) -> NetworkError {
    let (class, layer) = (shortened(class), shortened(layer));
    if UNREAD_CLASSES.contains(&class.as_str()) || text(entry, "module").is_some() {
        let hint = "rebuild the network without it, or convert it to ONNX";
        unsupported(format!("layer {layer:?} of class {class}"), hint)
    } else {
        refused(format!("custom object {class:?} (layer {layer:?})"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(entry: &Value) -> Result<(), NetworkError> {
        check_layer(entry["class_name"].as_str().unwrap(), entry.as_object().unwrap())
    }

    #[test]
    fn keras_layers_pass_whoever_wrote_them() {
        for entry in [
            json!({"class_name": "Conv2D"}),
            json!({"class_name": "Conv2D", "module": "keras.layers", "registered_name": null}),
            json!({"class_name": "Functional", "module": "keras.src.models.functional"}),
            json!({"class_name": "Functional", "module": "keras.src.engine.functional",
                "registered_name": "Functional"}),
            json!({"class_name": "Dense", "module": "tensorflow.python.keras.layers.core"}),
        ] {
            checked(&entry).unwrap();
        }
    }

    #[test]
    fn foreign_code_is_refused_by_name() {
        for (entry, named) in [
            (json!({"class_name": "Lambda"}), "Lambda"),
            (json!({"class_name": "TFOpLambda"}), "TFOpLambda"),
            (json!({"class_name": "Mine>Swish"}), "Mine>Swish"),
            (json!({"class_name": "Dense", "registered_name": "Mine>Dense"}), "Mine>Dense"),
            (json!({"class_name": "Dense", "module": "kerasx.layers"}), "kerasx.layers"),
            (json!({"class_name": "Dense", "module": "__main__"}), "__main__"),
        ] {
            let error = checked(&entry).unwrap_err();
            assert!(matches!(error, NetworkError::Refused { .. }), "{error}");
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn an_unread_layer_and_a_custom_one_are_told_apart() {
        let entry = Map::new();
        assert!(matches!(unread("LSTM", "l", &entry), NetworkError::Unsupported { .. }));
        assert!(matches!(unread("MySpecialLayer", "l", &entry), NetworkError::Refused { .. }));
    }
}
