"""STRIP by Keras with the network of an ONNX file, two ways, in so many threads.

    strip_keras.py THREADS MODEL.onnx OVERLAYS.npy IMAGES.npy SECONDS

`predict` does it as the seed project and the notebook of STRIP's authors do: all blends of one image in NumPy, one
`Model.predict`, the entropies in NumPy. It is given the better of Keras' own batch size (32) and one batch of all.
`fused` is one compiled `tf.function` from image to score: blend, network and entropy.

Prints one line of JSON: for each way scans a second, the processor time of a scan, and the scores of the first
images in bit.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper

WARM_UP_SCANS = 5
SCORES = 20


def network(file):
    """The DeepID of deepid.py in Keras, with the weights of the file."""
    layers = tf.keras.layers
    image = layers.Input((55, 47, 3))
    tensor = image
    for number, (channels, size) in enumerate(((20, 4), (40, 3), (60, 3)), 1):
        tensor = layers.Conv2D(channels, size, activation="relu", name=f"conv_{number}")(tensor)
        tensor = layers.MaxPooling2D(2)(tensor)
    third = layers.Dense(160, name="fc_1")(layers.Flatten()(tensor))
    tensor = layers.Conv2D(80, 2, activation="relu", name="conv_4")(tensor)
    fourth = layers.Dense(160, name="fc_2")(layers.Flatten()(tensor))
    features = layers.Activation("relu")(layers.Add()([third, fourth]))
    model = tf.keras.Model(image, layers.Dense(1283, activation="softmax", name="output")(features))
    arrays = [numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer]
    names = ("conv_1", "conv_2", "conv_3", "conv_4", "fc_1", "fc_2", "output")
    for place, name in enumerate(names):
        weights, bias = arrays[2 * place : 2 * place + 2]
        axes = (2, 3, 1, 0) if weights.ndim == 4 else (1, 0)
        model.get_layer(name).set_weights([weights.transpose(axes), bias])
    return model


def by_predict(model, overlays, batch_size):
    """The score of an image, by `predict`."""

    def score(image):
        blended = np.empty_like(overlays)
        for place, overlay in enumerate(overlays):
            np.add(image, overlay, out=blended[place])
        answers = model.predict(blended, batch_size=batch_size, verbose=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            entropies = -np.nansum(answers * np.log2(answers), axis=1)
        return float(entropies.mean())

    return score


def fused(model, overlays):
    """The score of an image, by one compiled graph."""
    bank = tf.constant(overlays)

    @tf.function(input_signature=[tf.TensorSpec(overlays.shape[1:], tf.float32)])
    def graph(image):
        answers = model(bank + image[None], training=False)
        terms = tf.math.multiply_no_nan(tf.math.log(tf.maximum(answers, 1e-37)), answers)
        return -tf.reduce_mean(tf.reduce_sum(terms, axis=1)) / tf.math.log(2.0)

    return lambda image: float(graph(tf.constant(image)))


def rate(score, images, seconds):
    """Scans a second over images taken in turn, and the processor time of one in milliseconds."""
    for image in images[:WARM_UP_SCANS]:
        score(image)
    done, start, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        score(images[done % len(images)])
        done += 1
    rate = done / (time.perf_counter() - start)
    return {"scansPerSecond": rate, "processorMs": (time.process_time() - used) / done * 1e3}


def main():
    threads, file, overlays, images, seconds = sys.argv[1:]
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    overlays, images = np.load(overlays), np.load(images)
    model = network(file)
    ways = {
        "predict": by_predict(model, overlays, None),
        "predictOneBatch": by_predict(model, overlays, len(overlays)),
        "fused": fused(model, overlays),
    }
    outcome = {
        name: rate(score, images, float(seconds)) | {"scores": [score(image) for image in images[:SCORES]]}
        for name, score in ways.items()
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
