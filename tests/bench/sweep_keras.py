"""One full pass of Keras over the images of a prune curve: what every point of the curve costs the seed project.

    sweep_keras.py IMAGES PASSES

DeepID with random weights, `Model.predict` with the better of Keras' own batch size (32) and 256, two threads. Prints
the median wall time of a pass in s.
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


def network():
    layers = tf.keras.layers
    image = layers.Input((55, 47, 3))
    tensor = image
    for channels, size in ((20, 4), (40, 3), (60, 3)):
        tensor = layers.MaxPooling2D(2)(layers.Conv2D(channels, size, activation="relu")(tensor))
    last = layers.Conv2D(80, 2, activation="relu")(tensor)
    both = [layers.Dense(160)(layers.Flatten()(one)) for one in (tensor, last)]
    features = layers.Activation("relu")(layers.Add()(both))
    return tf.keras.Model(image, layers.Dense(1283, activation="softmax")(features))


def main():
    images, passes = map(int, sys.argv[1:])
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    model, data = network(), np.random.default_rng(1).random((images, 55, 47, 3), dtype=np.float32)
    best = []
    for batch in (32, 256):
        model.predict(data, batch_size=batch, verbose=0)
        times = []
        for _ in range(passes):
            started = time.perf_counter()
            np.argmax(model.predict(data, batch_size=batch, verbose=0), axis=1)
            times.append(time.perf_counter() - started)
        best.append(statistics.median(times))
    print("median", min(best))


if __name__ == "__main__":
    main()
