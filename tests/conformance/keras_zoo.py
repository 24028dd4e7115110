#!/usr/bin/env python3
"""Small Keras models of every layer, option and nesting, converted and compared with Keras.

    keras_zoo.py CONVERTER FOLDER

CONVERTER is the example program keras_to_onnx; FOLDER receives the files. For each model: saved by this
Keras as .h5, converted, run by ONNX Runtime and compared with Keras itself; exported back from ONNX (with
changed weights, as after training), loaded by keras.models.load_model and compared again. One line a model;
the exit status is the count of failures, at most 100.

Needs tensorflow (Keras 3), h5py, numpy, onnx and onnxruntime.
"""
import json
import os
import subprocess
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import absl.logging  # noqa: E402
import h5py  # noqa: E402
import keras  # noqa: E402
import numpy  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import tensorflow  # noqa: E402
from keras import layers as L  # noqa: E402
from onnx import numpy_helper  # noqa: E402

tensorflow.get_logger().setLevel("ERROR")
absl.logging.set_verbosity(absl.logging.ERROR)  # saving .h5 warns that .keras is newer
warnings.simplefilter("ignore")

TOLERANCE = 1e-5
CLASSES = 5
ZOO = {}


def model(build):
    """Registers a model under its function's name."""
    ZOO[build.__name__] = build
    return build


def image(height=12, width=10, channels=3):
    return keras.Input((height, width, channels), name="image")


def head(tensor):
    """From pictures to probabilities, so that every model is a classifier."""
    if len(tensor.shape) > 2:
        tensor = L.Flatten(name="head_flatten")(tensor)
    return L.Dense(CLASSES, activation="softmax", name="head")(tensor)


def plain(start, end):
    return keras.Model(start, head(end))


@model
def conv_same_strided():
    i = image(13, 11)
    x = L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(i)
    x = L.Conv2D(4, (4, 2), strides=(3, 2), padding="same")(x)
    return plain(i, x)


@model
def conv_valid_dilated_groups():
    i = image(16, 14, 4)
    x = L.Conv2D(8, 3, dilation_rate=2, padding="valid", use_bias=False, activation="tanh")(i)
    x = L.Conv2D(6, 2, groups=2, padding="same", dilation_rate=(1, 3))(x)
    return plain(i, x)


@model
def depthwise():
    i = image()
    x = L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", strides=2, activation="relu")(i)
    x = L.DepthwiseConv2D((2, 3), use_bias=False)(x)
    x = L.DepthwiseConv2D(2, padding="same", dilation_rate=2)(x)
    return plain(i, x)


@model
def separable():
    i = image(15, 12)
    x = L.SeparableConv2D(7, 3, strides=2, padding="same", depth_multiplier=3, activation="relu")(i)
    x = L.SeparableConv2D(4, 2, use_bias=False)(x)
    return plain(i, x)


@model
def pools_valid():
    i = image(15, 13)
    a = L.MaxPooling2D()(i)
    b = L.AveragePooling2D((2, 2))(i)
    c = L.MaxPooling2D((3, 2), strides=(2, 1))(L.Concatenate()([a, b]))
    return plain(i, c)


@model
def pools_same():
    i = image(15, 13)
    a = L.MaxPooling2D(3, strides=2, padding="same")(i)
    b = L.AveragePooling2D(3, strides=2, padding="same")(i)
    c = L.AveragePooling2D((4, 2), strides=1, padding="same")(L.Add()([a, b]))
    return plain(i, c)


@model
def global_pools():
    i = image()
    x = L.Conv2D(6, 3)(i)
    a = L.GlobalAveragePooling2D()(x)
    b = L.GlobalMaxPooling2D()(x)
    c = L.Flatten()(L.GlobalAveragePooling2D(keepdims=True)(x))
    return plain(i, L.Concatenate()([a, b, c]))


@model
def batch_norms():
    i = image()
    x = L.BatchNormalization(scale=False)(L.Conv2D(4, 3)(i))
    x = L.BatchNormalization(center=False, epsilon=0.01)(L.ReLU()(x))
    x = L.Dense(7)(L.Flatten()(x))
    x = L.BatchNormalization()(x)
    return plain(i, L.Activation("relu")(x))


def activation_model(names):
    i = image(6, 6)
    x = i
    branches = [L.Activation(name)(L.Conv2D(2, 2)(x)) for name in names]
    return plain(i, L.Concatenate()(branches))


@model
def activations_common():
    return activation_model(["relu", "elu", "selu", "softplus", "softsign", "tanh", "sigmoid", "linear"])


@model
def activations_recent():
    return activation_model(
        ["gelu", "silu", "mish", "hard_sigmoid", "hard_silu", "leaky_relu", "relu6", "exponential", "log_softmax"]
    )


@model
def activation_layers():
    i = image(6, 6)
    x = L.Conv2D(3, 2)(i)
    branches = [
        L.ReLU()(x),
        L.ReLU(max_value=0.4)(x),
        L.ReLU(max_value=0.5, negative_slope=0.1)(x),
        L.ReLU(max_value=0.5, negative_slope=0.2, threshold=0.1)(x),
        L.ReLU(threshold=0.2)(x),
        L.LeakyReLU(0.15)(x),
        L.ELU(0.7)(x),
        L.Softmax()(x),
        L.Softmax(axis=1)(x),
    ]
    return plain(i, L.Concatenate()(branches))


@model
def activations_inside_layers():
    i = image(8, 8)
    x = L.Conv2D(4, 3, activation="softmax")(i)
    x = L.Conv2D(4, 3, activation=keras.layers.LeakyReLU(0.2))(x)
    x = L.Conv2D(4, 2, activation=keras.activations.gelu)(x)
    return plain(i, L.Dense(6, activation="swish")(L.Flatten()(x)))


@model
def prelu():
    i = image(7, 6)
    x = L.PReLU(alpha_initializer="random_normal")(L.Conv2D(3, 2)(i))
    x = L.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(x)
    x = L.PReLU(alpha_initializer="random_normal")(L.Dense(6)(L.Flatten()(x)))
    return plain(i, x)


@model
def merges():
    i = image(8, 8)
    a, b, c = (L.Conv2D(4, 3, padding="same", activation="tanh")(i) for _ in range(3))
    branches = [
        L.Add()([a, b, c]), L.Subtract()([a, b]), L.Multiply()([a, b, c]), L.Average()([a, b, c]),
        L.Maximum()([a, b, c]), L.Minimum()([a, c]),
    ]
    return plain(i, L.Concatenate(axis=-1)([L.Concatenate(axis=1)(branches), L.Concatenate(axis=1)(branches)]))


@model
def squeeze_and_excite():
    i = image(8, 8)
    x = L.Conv2D(6, 3, activation="relu")(i)
    s = L.Dense(6, activation="sigmoid")(L.Dense(3, activation="relu")(L.GlobalAveragePooling2D()(x)))
    x = L.Multiply()([x, L.Reshape((1, 1, 6))(s)])
    return plain(i, x)


@model
def broadcast_of_lower_rank():
    i = image(8, 8)
    x = L.Conv2D(6, 3)(i)
    s = L.GlobalMaxPooling2D()(x)
    return plain(i, L.Multiply()([x, s]))


@model
def residual():
    i = image(16, 16)
    x = L.Conv2D(8, 3, padding="same", use_bias=False)(i)
    for _ in range(2):
        y = L.ReLU()(L.BatchNormalization()(x))
        y = L.Conv2D(8, 3, padding="same")(y)
        x = L.Add()([x, y])
    x = L.ZeroPadding2D(((0, 1), (1, 0)))(x)
    x = L.Conv2D(4, 3, strides=2)(x)
    return plain(i, L.GlobalAveragePooling2D()(x))


@model
def shapes():
    i = image(8, 6)
    x = L.Conv2D(4, 3)(i)
    x = L.Permute((3, 1, 2))(x)
    x = L.Reshape((8, -1, 4))(x)
    x = L.Conv2D(3, 2)(x)
    x = L.Permute((2, 1, 3))(x)
    x = L.Conv2D(3, 2)(x)
    return plain(i, L.Reshape((-1,))(x))


@model
def permute_to_what_it_is_already():
    i = image(6, 6, 4)
    x = L.Conv2D(6, 3, padding="same")(i)
    x = L.Permute((3, 1, 2))(x)
    x = L.Conv2D(3, 2)(x)
    return plain(i, x)


@model
def borders():
    i = image()
    x = L.ZeroPadding2D(2)(i)
    x = L.ZeroPadding2D((1, 3))(x)
    x = L.Cropping2D(((1, 2), (0, 3)))(x)
    x = L.Conv2D(3, 3)(x)
    return plain(i, L.Cropping2D(1)(x))


@model
def borders_of_negative_pictures():
    """Zeros at the border must win over negative pixels, also where an optimiser would like to fuse."""
    i = image(8, 8)
    x = L.Rescaling(-1.0, offset=-3)(L.ReLU()(i))
    x = L.MaxPooling2D(2)(L.ZeroPadding2D(1)(x))
    return plain(i, L.AveragePooling2D(2)(L.ZeroPadding2D(2)(x)))


@model
def up_sampling():
    i = image(5, 4)
    a = L.UpSampling2D()(i)
    b = L.UpSampling2D((2, 2), interpolation="bilinear")(i)
    x = L.UpSampling2D((3, 2))(L.Conv2D(3, 2)(L.Concatenate()([a, b])))
    return plain(i, x)


@model
def training_only():
    i = image(8, 8)
    x = L.Rescaling(1 / 127.5, offset=-1)(i)
    x = L.RandomFlip("horizontal")(x)
    x = L.RandomRotation(0.1)(x)
    x = L.GaussianNoise(0.1)(x)
    x = L.SpatialDropout2D(0.2)(L.Conv2D(4, 3)(x))
    x = L.GaussianDropout(0.1)(x)
    x = L.ActivityRegularization(0.01)(L.AlphaDropout(0.1)(L.Flatten()(x)))
    return plain(i, L.Dropout(0.5)(x))


@model
def chain():
    return keras.Sequential([
        keras.Input((10, 10, 3)), L.Conv2D(4, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(),
        L.Dense(CLASSES), L.Softmax(),
    ])


@model
def chain_of_logits():
    return keras.Sequential([keras.Input((10, 10, 3)), L.Conv2D(4, 3), L.Flatten(), L.Dense(CLASSES)])


@model
def grey_without_channel_axis():
    return keras.Sequential([
        keras.Input((9, 7)), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(CLASSES, activation="softmax"),
    ])


@model
def dense_on_pictures():
    i = image(6, 5)
    x = L.Dense(4, activation="relu")(L.Conv2D(3, 2)(i))
    x = L.Dense(3, use_bias=False)(L.Reshape((5, 16))(x))
    return plain(i, L.BatchNormalization()(x))


@model
def chains_within():
    inner = keras.Sequential([
        keras.Input((8, 8, 4)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.Conv2D(4, 3),
        L.BatchNormalization(), L.ReLU(),
    ], name="inner")
    return keras.Sequential([
        keras.Input((8, 8, 3)), L.Conv2D(4, 1), inner, L.Flatten(), L.Dense(CLASSES, activation="softmax"),
    ])


@model
def graphs_within_called_twice():
    def block(name):
        start = keras.Input((8, 8, 4))
        y = L.SeparableConv2D(4, 3, padding="same")(start)
        y = L.BatchNormalization()(L.Add()([start, y]))
        return keras.Model(start, y, name=name)

    inner, deeper_start = block("block"), keras.Input((8, 8, 4))
    y = block("innermost")(L.Conv2D(4, 1)(deeper_start))
    deeper = keras.Model(deeper_start, L.ReLU()(y), name="deeper")
    i = image(8, 8)
    x = L.Conv2D(4, 1)(i)
    x = deeper(inner(x))
    return plain(i, inner(x))


@model
def shared_layers():
    i = image(8, 8)
    conv, slopes = L.Conv2D(3, 3, padding="same"), L.PReLU(alpha_initializer="random_normal")
    x = slopes(conv(i))
    return plain(i, L.Concatenate()([slopes(conv(x)), x]))


@model
def frozen_and_branched_off():
    backbone = keras.Sequential([
        keras.Input((8, 8, 3)), L.Conv2D(4, 3), L.BatchNormalization(), L.Conv2D(4, 3), L.BatchNormalization(),
    ], name="backbone")
    backbone.layers[0].trainable = False
    i = image(8, 8)
    x = backbone(i, training=False)
    a = L.Dense(6, name="z_first")(L.Flatten()(x))
    b = L.Dense(6, name="a_second")(L.Flatten()(L.Conv2D(4, 1)(x)))
    return plain(i, L.Add()([b, a]))


@model
def branches_of_one_shape():
    """Layers of one shape whose order in the file decides which weights they get."""
    i = image(8, 8)
    convs = [L.Conv2D(3, 3, padding="same", name=name) for name in ("d", "b", "a", "c")]
    x = L.Subtract()([convs[0](i), convs[1](convs[2](i))])
    return plain(i, L.Subtract()([convs[3](i), x]))


@model
def channels_first():
    i = keras.Input((3, 12, 10), name="image")
    cf = {"data_format": "channels_first"}
    x = L.Conv2D(4, 3, padding="same", strides=2, activation="relu", **cf)(i)
    x = L.BatchNormalization(axis=1)(x)
    x = L.DepthwiseConv2D(3, padding="same", **cf)(x)
    x = L.PReLU(shared_axes=[2, 3], alpha_initializer="random_normal")(x)
    x = L.ZeroPadding2D(1, **cf)(x)
    x = L.MaxPooling2D(2, **cf)(x)
    x = L.UpSampling2D(2, **cf)(x)
    x = L.Concatenate(axis=1)([x, L.SeparableConv2D(2, 3, padding="same", **cf)(x)])
    x = L.Cropping2D(1, **cf)(x)
    x = L.AveragePooling2D(2, padding="same", **cf)(x)
    a = L.Flatten(**cf)(x)
    b = L.GlobalAveragePooling2D(**cf)(x)
    c = L.Reshape((-1,))(x)
    return plain(i, L.Concatenate()([a, b, c, L.Flatten(data_format="channels_last")(x)]))


@model
def both_formats():
    i = image(8, 8)
    x = L.Conv2D(4, 3)(i)
    x = L.Conv2D(6, 2, data_format="channels_first")(x)
    x = L.Conv2D(3, 2)(x)
    return plain(i, L.BatchNormalization(axis=1)(x))


@model
def wide_images_then_one_pixel():
    i = image(4, 4)
    x = L.Conv2D(6, 4, activation="relu")(i)
    x = L.Conv2D(CLASSES, 1)(L.Dropout(0.1)(x))
    return keras.Model(i, L.Activation("softmax")(L.Flatten()(x)))


def randomise(network, generator):
    """Weights that matter: no zero biases, no statistics of zero and one."""
    for weight in network.weights:
        value = generator.normal(0, 0.3, weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            value = numpy.abs(value) + 0.5
        weight.assign(value.astype("float32"))


def run_onnx(path, description, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (value,) = session.run([description["output"]], {description["input"]: images})
    return value


def expected(network, images, description):
    if len(network.input_shape) == 3:
        images = images[..., 0]
    # TensorFlow's own kernels for the CPU do not know channels-first convolutions, its compiler does.
    compiled = tensorflow.function(lambda batch: network(batch, training=False), jit_compile=True)
    value = compiled(images).numpy()
    if description["output_kind"] == "softmax_appended":
        value = numpy.exp(value - value.max(-1, keepdims=True))
        value /= value.sum(-1, keepdims=True)
    return value


def retrained(source, destination, generator):
    """Changes every Keras weight of an ONNX file a little, by its name."""
    network = onnx.load(source)
    for tensor in network.graph.initializer:
        if tensor.name.endswith(":0"):
            value = numpy_helper.to_array(tensor)
            change = 1 + generator.uniform(-0.1, 0.1, value.shape)
            tensor.CopyFrom(numpy_helper.from_array((value * change).astype("float32"), tensor.name))
    onnx.save(network, destination)


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f"exit status {done.returncode}")
    return done.stdout


def check(name, build, converter, folder):
    keras.backend.clear_session()
    generator = numpy.random.default_rng(7)
    network = build()
    randomise(network, generator)
    h5, onnx_file = (os.path.join(folder, f"{name}.{end}") for end in ("h5", "onnx"))
    network.save(h5)
    with h5py.File(h5) as file:
        assert "model_config" in file.attrs
    description = json.loads(call(converter, "import", h5, onnx_file))
    onnx.checker.check_model(onnx.load(onnx_file), full_check=True)
    shape = [description["height"], description["width"]]
    channels = [description["channels"]]
    shape = shape + channels if description["layout"] == "nhwc" else channels + shape
    images = generator.normal(0, 1, [6, *shape]).astype("float32")
    there = numpy.abs(run_onnx(onnx_file, description, images) - expected(network, images, description)).max()
    if network.count_params() != description["parameters"]:
        raise RuntimeError(f"{description['parameters']} parameters, Keras has {network.count_params()}")
    tensors = {value.name for value in onnx.shape_inference.infer_shapes(onnx.load(onnx_file)).graph.value_info}
    tensors |= {description["input"], description["output"]}
    lost = [layer["name"] for layer in description["layers"] if layer["tensor"] not in tensors]
    if lost:
        raise RuntimeError(f"no tensor for {lost}")

    changed, back = os.path.join(folder, f"{name}.changed.onnx"), os.path.join(folder, f"{name}.back.h5")
    retrained(onnx_file, changed, generator)
    call(converter, "export", changed, h5, back)
    loaded = keras.models.load_model(back, compile=False)
    value = run_onnx(changed, description, images)
    again = numpy.abs(value - expected(loaded, images, description)).max()
    # The exported file must also be one that the converter itself reads.
    second = os.path.join(folder, f"{name}.second.onnx")
    description = json.loads(call(converter, "import", back, second))
    third = numpy.abs(value - run_onnx(second, description, images)).max()
    return there, again, third


def main():
    converter, folder = sys.argv[1:3]
    wanted = sys.argv[3:] or list(ZOO)
    os.makedirs(folder, exist_ok=True)
    failures = 0
    for name in wanted:
        try:
            differences = check(name, ZOO[name], converter, folder)
            good = max(differences) <= TOLERANCE
            line = "there %.1e  back %.1e  again %.1e" % differences
        except Exception as error:  # each model's fault is a line of the report
            good, line = False, f"{type(error).__name__}: {error}"
        failures += not good
        print(f"{'ok  ' if good else 'FAIL'}  {name:32}  {line}", flush=True)
    print(f"{len(wanted) - failures} of {len(wanted)} models agree")
    sys.exit(min(failures, 100))


if __name__ == "__main__":
    main()
