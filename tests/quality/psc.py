"""IBD-PSC (Hou et al., ICML 2024) on a network with batch normalisation, to see whether it would earn its passes.

Scales and shifts of the last k normalisations are multiplied by 1.5, for k from the first that ruins the clean answers on:
what a trigger drives keeps its class, what clean pictures show does not. The score is the mean probability of the
network's own answer over these copies, here negated, so that low is suspicious as everywhere.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

FACTOR, COPIES, RUINED = 1.5, 5, 0.6


def probabilities(model, images, batch=500):
    """Of every class `[N, M]` for pictures `[N, H, W, C]` of 0..255."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batches = np.split(images, range(batch, len(images), batch))
    found = np.concatenate([session.run(None, {name: one.astype(np.float32) / 255})[0] for one in batches])
    if np.allclose(found.sum(1), 1, atol=1e-3) and found.min() >= 0:
        return found
    found = np.exp(found - found.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)


def amplified(model, last):
    """A copy of the network whose last normalisations are stronger; none where it has not so many."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = [node for node in copy.graph.node if node.op_type == "BatchNormalization"]
    if last > len(nodes):
        return None
    named = {name for node in nodes[-last:] for name in node.input[1:3]}
    for tensor in copy.graph.initializer:
        if tensor.name in named:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(FACTOR), tensor.name))
    return copy


class ParameterScaling:
    """The copies of one network, chosen on clean pictures."""

    def __init__(self, path, images, labels):
        self._network = onnx.load(path)
        self.copies = []
        for last in range(1, 1 + sum(node.op_type == "BatchNormalization" for node in self._network.graph.node)):
            copy = amplified(self._network, last)
            wrong = np.mean(probabilities(copy, images).argmax(1) != labels)
            if self.copies or wrong >= RUINED:
                self.copies.append(copy)
            if len(self.copies) == COPIES:
                break

    def scores(self, images):
        """One score a picture; low is suspicious."""
        own = probabilities(self._network, images).argmax(1)
        rows = np.arange(len(images))
        return -np.mean([probabilities(copy, images)[rows, own] for copy in self.copies], axis=0)
