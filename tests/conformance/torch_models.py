"""Makes image classifiers with PyTorch, exports them as ONNX and writes what they answer.

    torch_models.py FOLDER

For each network and exporter FOLDER gets NAME.onnx (inputs `[N, C, H, W]`, N free, logits out) and NAME.npz
with `input`, `logits` and `probabilities` as onnxruntime answers them, and one models.json that lists them. For
some of them there are NAME-clean.npz and NAME-fresh.npz too: pictures as levels, with the network's own classes.
Weights are random but seeded, and batch-normalisation statistics are those of real passes, so that the
answers differ from image to image and are neither flat nor saturated. Run it in an environment made by
torch_environment.sh.
"""

import argparse
import json
import logging
import os
import sys
import warnings
from pathlib import Path

# The environment has most GPU libraries as empty files: functions must be looked up when first called.
sys.setdlopenflags(os.RTLD_LAZY)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

SAMPLES = 3
CLEAN, FRESH = 30, 4
CLASSES = 10
OPSET = 18
LOGIT_SPREAD = 2.0
# Difference between PyTorch and onnxruntime that fp32 rounding explains in nets of this depth.
LOGIT_TOLERANCE = 1e-3


class Residual(nn.Module):
    """Two convolutions beside a shortcut, as in ResNet-18."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.activation = nn.ReLU()

    def forward(self, images):
        return self.activation(self.main(images) + self.shortcut(images))


def resnet18(stem):
    """ResNet-18 behind one of the two usual stems."""
    if stem == "cifar":
        first = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    else:
        first = [
            nn.Conv2d(3, 64, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
        ]
    blocks, channels_in = [], 64
    for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Residual(channels_in, channels, stride), Residual(channels, channels, 1)]
        channels_in = channels
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))


def vgg():
    """Plain stacked convolutions with two hidden dense layers, for 32x32 images."""
    layers, channels_in = [], 3
    for group in ((64,), (128,), (256, 256), (512, 512)):
        for channels in group:
            layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
            channels_in = channels
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    for features_in in (512 * 2 * 2, 512):
        layers += [nn.Linear(features_in, 512), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*layers, nn.Linear(512, CLASSES))


# How to build it, the side of its images, and how it is exported.
NETWORKS = {
    "resnet18-cifar": (lambda: resnet18("cifar"), 32, ("torchscript", "dynamo", "batchnorm")),
    "resnet18-imagenet": (lambda: resnet18("imagenet"), 224, ("torchscript", "dynamo")),
    "vgg": (vgg, 32, ("torchscript", "dynamo")),
}
# Those that come with pictures to calibrate and measure detectors on.
WITH_PICTURES = ("resnet18-cifar-batchnorm", "vgg-dynamo")


def images(count, size):
    """Pictures in 0..1 that are smooth rather than noise, `[N, C, H, W]`."""
    coarse = torch.rand(count, 3, 8, 8)
    return nn.functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)


def settle(network, size):
    """Gives batch normalisation the statistics of real passes, and the logits a spread between images."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # No momentum means the plain average over all passes.
            module.momentum = None
    network.train()
    with torch.no_grad():
        for _ in range(4):
            network(images(16, size))
        network.eval()
        logits, last = network(images(16, size)), network[-1]
        mean = logits.mean(dim=0)
        scale = LOGIT_SPREAD / (logits - mean).std()
        last.weight.mul_(scale)
        last.bias.sub_(mean).mul_(scale)
    return network


def export(network, size, exporter, path):
    """Exports with one of PyTorch's two exporters. Both fold batch normalisation into the convolutions before it;
    `batchnorm` is the older one, told to leave it as it is."""
    # Two rows, because an exporter may take a length of one for a constant.
    example = images(2, size)
    if exporter != "dynamo":
        free = {"dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}}
        if exporter == "batchnorm":
            free["training"] = torch.onnx.TrainingMode.PRESERVE
    else:
        # One file: what is imported may not refer to others.
        free = {"dynamic_shapes": ({0: torch.export.Dim("batch")},), "external_data": False}
    torch.onnx.export(
        network, (example,), path, dynamo=exporter == "dynamo", opset_version=OPSET,
        input_names=["input"], output_names=["logits"], verbose=False, **free,
    )
    onnx.checker.check_model(str(path), full_check=True)
    operators = {node.op_type for node in onnx.load(path).graph.node}
    if exporter == "batchnorm" and "BatchNormalization" not in operators:
        raise SystemExit(f"{path.name}: batch normalisation was folded away")


def expected(network, size, path):
    """Samples with the answers of onnxruntime, checked against PyTorch's own."""
    samples = images(SAMPLES, size)
    with torch.no_grad():
        wanted = network(samples).numpy()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": samples.numpy()})
    difference = float(np.abs(logits - wanted).max())
    if difference > LOGIT_TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise SystemExit(f"{path.name}: onnxruntime differs from PyTorch by {difference}")
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return {"input": samples.numpy(), "logits": logits, "probabilities": probabilities.astype(np.float32)}


def pictures(network, size, count, path):
    """Levels that the network itself has named, so that every picture is named right."""
    levels = (images(count, size) * 255).round()
    with torch.no_grad():
        labels = network(levels / 255).argmax(dim=1)
    np.savez(path, data=levels.numpy().astype(np.uint8), label=labels.numpy())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the files go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    # The older exporter announces its age, the newer one every optional package it does without.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    listed = []
    for kind, (build, size, exporters) in NETWORKS.items():
        torch.manual_seed(18)
        network = settle(build(), size)
        for exporter in exporters:
            name = f"{kind}-{exporter}"
            path = folder / f"{name}.onnx"
            export(network, size, exporter, path)
            answers = expected(network, size, path)
            np.savez(folder / f"{name}.npz", **answers)
            labels = answers["probabilities"].argmax(axis=1).tolist()
            listed.append({"name": name, "file": path.name, "samples": f"{name}.npz", "classes": CLASSES,
                           "shape": [3, size, size], "layout": "nchw", "pictures": name in WITH_PICTURES})
            if name in WITH_PICTURES:
                pictures(network, size, CLEAN, folder / f"{name}-clean.npz")
                pictures(network, size, FRESH, folder / f"{name}-fresh.npz")
            print(f"{name} ok: {path.stat().st_size} bytes, classes of the samples {labels}", flush=True)
    (folder / "models.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()
