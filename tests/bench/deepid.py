"""Writes DeepID, the classifier of the course's BadNets, as ONNX with seeded random weights.

    deepid.py FILE

Input `[N, 55, 47, 3]`, N free; answers probabilities `[N, 1283]`. How long it takes does not depend on the
weights, so measurements need none of the real networks.
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 1283
OPSET = 17
# The newest format that the pinned ONNX Runtime reads.
IR_VERSION = 10


class Builder:
    """Collects nodes and weights; every method takes and returns names of tensors."""

    def __init__(self):
        self.nodes = []
        self.weights = []
        self._random = np.random.default_rng(1283)

    def node(self, operator, inputs, **attributes):
        """One node with one output."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def weight(self, *shape):
        """Random numbers of the size that keeps activations of ReLU networks from growing or dying out."""
        spread = np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.01
        values = self._random.normal(0, spread, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(values, f"weight_{len(self.weights)}"))
        return self.weights[-1].name

    def convolution(self, tensor, channels_in, channels, size):
        """A valid convolution with bias and ReLU."""
        weights = [self.weight(channels, channels_in, size, size), self.weight(channels)]
        return self.node("Relu", [self.node("Conv", [tensor, *weights])])

    def pool(self, tensor):
        """Halves height and width."""
        return self.node("MaxPool", [tensor], kernel_shape=[2, 2], strides=[2, 2])

    def dense(self, tensor, features_in, features):
        """A dense layer without activation."""
        weights = [self.weight(features, features_in), self.weight(features)]
        return self.node("Gemm", [tensor, *weights], transB=1)

    def flatten(self, tensor):
        """All axes after the batch axis as one, channels last as Keras flattens them."""
        return self.node("Flatten", [self.node("Transpose", [tensor], perm=[0, 2, 3, 1])])


def deepid():
    """The network."""
    build = Builder()
    tensor = build.node("Transpose", ["input"], perm=[0, 3, 1, 2])
    tensor = build.pool(build.convolution(tensor, 3, 20, 4))
    tensor = build.pool(build.convolution(tensor, 20, 40, 3))
    third = build.pool(build.convolution(tensor, 40, 60, 3))
    fourth = build.convolution(third, 60, 80, 2)
    branches = [
        build.dense(build.flatten(third), 60 * 5 * 4, 160),
        build.dense(build.flatten(fourth), 80 * 4 * 3, 160),
    ]
    logits = build.dense(build.node("Relu", [build.node("Add", branches)]), 160, CLASSES)
    build.nodes.append(helper.make_node("Softmax", [logits], ["output"], name="output", axis=1))
    graph = helper.make_graph(
        build.nodes,
        "deepid",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 55, 47, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", CLASSES])],
        build.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def main():
    model = deepid()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, sys.argv[1])


if __name__ == "__main__":
    main()
