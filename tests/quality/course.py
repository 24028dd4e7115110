"""The course's networks and faces, as they lie in the test data."""

import h5py
import numpy as np

# Network, divisor of the pixels, its triggers, and the entropy threshold of the seed project where it gave one.
NETWORKS = (
    ("sunglasses_bd", 255, ("sunglasses",), 0.29426),
    ("anonymous_1_bd", 255, ("lipstick",), 0.32473),
    ("multi_trigger_multi_target_bd", 255, ("sunglasses", "lipstick", "eyebrows"), 0.49713),
    ("anonymous_2_bd", 255, ("sunglasses", "lipstick", "eyebrows"), 0.29426),
    ("lab3_bd", 1, ("sunglasses",), None),
)
TRIGGERS = ("sunglasses", "lipstick", "eyebrows")


def faces(data, kind):
    """Images `[N, 3, 55, 47]` and true classes: `clean`, or stamped with a trigger, face by face the same."""
    with h5py.File(data / "csaw" / f"faces_{kind}.h5") as file:
        labels = file["true_label"] if "true_label" in file else file["label"]
        return file["data"][:], labels[:].astype(np.int64)


def weights(data, network):
    """The file of a network's weights."""
    return data / "csaw" / "weights" / f"{network}_weights.h5"


def sample_pictures(data):
    """The sample pictures, which lie there with blue first."""
    return sorted((data / "csaw" / "images").glob("*.png"))


def distinct_hosts(labels, right, count, seed):
    """So many faces of different classes that the network names right."""
    chosen, classes = [], set()
    for face in np.random.default_rng(seed).permutation(len(labels)):
        if right[face] and labels[face] not in classes and len(chosen) < count:
            chosen.append(face)
            classes.add(labels[face])
    return np.array(chosen)


def any_faces(labels, count, seed):
    """So many faces, whoever they show."""
    return np.random.default_rng(seed).permutation(len(labels))[:count]
