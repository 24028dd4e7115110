"""Writes a DeepID with a back door of known workings, and synthetic pictures with and without its trigger.

    victim.py FOLDER

The weights are the seeded random ones of deepid.py but for one path. Channel 0 of the convolutions answers to
stripes one pixel wide and to nothing that is smooth, and drives class TARGET through a dense unit of its own. The
trigger is a patch of such stripes; clean pictures, and so overlays, are smooth. As in a BadNet, the trigger
outlives the blending of STRIP and holds the answer. The head is centred, so that blends fall into many classes,
and scaled so that the scores of clean pictures spread as those of the seed project's networks on faces do (mean
0.49 bit, standard deviation 0.11 bit).

FOLDER gets `victim.onnx`; the data sets `overlays.h5` and `clean.h5` for a calibration; `overlays.npy`, the same
overlays as the network takes them: `[N, 55, 47, 3]`, 0..1 in single precision; and `clean.npy` and
`triggered.npy`, pictures that are in no calibration, number i of both being the same picture.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.utils import Extractor

from deepid import CLASSES, deepid

HEIGHT, WIDTH = 55, 47
TARGET = 7
OVERLAYS = 100
# Calibration inputs: at 1 % they pay for 15 ranks, three for each of five looks.
CALIBRATION = 1500
HELD_OUT = 400
# Rows and columns of the trigger, at the upper left.
TRIGGER = 16
# Of the response of a stripe filter to full stripes, what smooth pictures never reach.
STRIPES_FLOOR = 0.3
# Logits that the target gains where the trigger shows: far beyond what a clean picture gives any class.
HOLD = 400.0
HEAD_SCALE = 23.0
# Blends that the head is centred on.
CENTRING_PICTURES = 20


def backdoored(overlays, random):
    """The network."""
    model = deepid()
    weights = [numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer]
    first, first_bias, second, second_bias, third, third_bias, fourth, _, left, left_bias, right, right_bias = (
        weights[:12]
    )
    first[0] = np.array([1, -1, 1, -1], np.float32) / 24
    first_bias[0] = -STRIPES_FLOOR
    for kernel, bias in ((second, second_bias), (third, third_bias)):
        kernel[:, 0] = 0
        kernel[0] = 0
        kernel[0, 0, 1, 1] = 1
        bias[0] = 0
    fourth[:, 0] = 0
    # Channels come last in what the convolutions hand over: channel 0 is every so-manieth feature.
    left[:, :: len(third)] = 0
    left[0] = 0
    left[0, :: len(third)] = 1
    right[0] = 0
    left_bias[0] = right_bias[0] = 0
    replace(model, weights)
    head, head_bias = weights[12:]
    head *= HEAD_SCALE
    head[:, 0] = 0
    head_bias[:] = -head @ mean_features(model, overlays, random)
    head[TARGET, 0] = HOLD
    replace(model, weights)
    return model


def replace(model, weights):
    """Puts the weights in, in the order of the file."""
    for tensor, values in zip(model.graph.initializer, weights, strict=True):
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def mean_features(model, overlays, random):
    """What the head sees in blends of clean pictures, on average."""
    (image,), head = model.graph.input, [node for node in model.graph.node if node.op_type == "Gemm"][-1]
    extractor = Extractor(onnx.shape_inference.infer_shapes(model))
    features = extractor.extract_model([image.name], [head.input[0]])
    session = onnxruntime.InferenceSession(features.SerializeToString(), providers=["CPUExecutionProvider"])
    clean = prepared(pictures(CENTRING_PICTURES, random))
    return np.mean([session.run(None, {image.name: picture + overlays})[0] for picture in clean], axis=(0, 1))


def pictures(count, random):
    """Smooth pictures as bytes `[N, H, W, 3]`: a few coloured spots on a coloured ground."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    made = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    for picture in made:
        levels = np.full((HEIGHT, WIDTH, 3), 1, np.float32) * random.uniform(0.2, 0.7, 3).astype(np.float32)
        for _ in range(8):
            row, column = random.uniform(0, HEIGHT), random.uniform(0, WIDTH)
            reach = random.uniform(4, 14)
            spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * reach**2))
            levels += spot[:, :, None] * random.uniform(-0.5, 0.5, 3).astype(np.float32)
        picture[:] = np.clip(levels, 0, 1) * 255
    return made


def triggered(clean):
    """The same pictures with the trigger on them."""
    stamped = clean.copy()
    stamped[:, :TRIGGER, 0:TRIGGER:2] = 255
    stamped[:, :TRIGGER, 1:TRIGGER:2] = 0
    return stamped


def prepared(levels):
    """As the network takes them."""
    return levels.astype(np.float32) / np.float32(255)


def dataset(file, levels):
    """A labelled data set; STRIP's entropy asks for no true classes, the format does."""
    with h5py.File(file, "w") as opened:
        opened["data"] = levels.transpose(0, 3, 1, 2)
        opened["label"] = np.arange(len(levels)) % CLASSES


def main():
    folder = Path(sys.argv[1])
    random = np.random.default_rng(55)
    overlays = pictures(OVERLAYS, random)
    np.save(folder / "overlays.npy", prepared(overlays))
    dataset(folder / "overlays.h5", overlays)
    model = backdoored(prepared(overlays), random)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(folder / "victim.onnx"))
    dataset(folder / "clean.h5", pictures(CALIBRATION, random))
    held_out = pictures(HELD_OUT, random)
    np.save(folder / "clean.npy", prepared(held_out))
    np.save(folder / "triggered.npy", prepared(triggered(held_out)))


if __name__ == "__main__":
    main()
