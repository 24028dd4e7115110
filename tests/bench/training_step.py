"""PyTorch eager as a peer of the trainer: networks as ONNX files, and the time of a training step.

    training_step.py export FOLDER
    training_step.py time deepid|resnet18 BATCH STEPS [--channels-last]

`export` writes deepid.onnx and resnet18.onnx, inputs `[N, C, H, W]`, logits out. `time` prints the median wall time of a
step in ms: SGD with momentum, cross entropy, two threads, single precision. Run it in the environment of
tests/conformance/torch_environment.sh.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from torch_models import resnet18, torch  # noqa: E402

from torch import nn  # noqa: E402

WARM = 3


class DeepId(nn.Module):
    """The network of the course: four convolutions, of which the last is bypassed, and 1283 classes."""

    def __init__(self):
        super().__init__()
        widths = (3, 20, 40, 60)
        self.front = nn.Sequential()
        for kernel, (taken, made) in zip((4, 3, 3), zip(widths, widths[1:])):
            self.front.extend([nn.Conv2d(taken, made, kernel), nn.ReLU(), nn.MaxPool2d(2)])
        self.last = nn.Sequential(nn.Conv2d(60, 80, 2), nn.ReLU())
        self.one, self.two, self.output = nn.Linear(1200, 160), nn.Linear(960, 160), nn.Linear(160, 1283)

    def forward(self, images):
        front = self.front(images)
        hidden = self.one(front.flatten(1)) + self.two(self.last(front).flatten(1))
        return self.output(torch.relu(hidden))


# How to build it, and the axes of its images.
NETWORKS = {"deepid": (DeepId, (3, 55, 47)), "resnet18": (lambda: resnet18("cifar"), (3, 32, 32))}


def built(name):
    torch.manual_seed(1)
    build, axes = NETWORKS[name]
    return build(), axes


def export(folder):
    for name in NETWORKS:
        network, axes = built(name)
        torch.onnx.export(
            network.eval(),
            (torch.zeros(2, *axes),),
            str(folder / f"{name}.onnx"),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={"images": {0: "N"}, "logits": {0: "N"}},
            opset_version=18,
            dynamo=False,
            training=torch.onnx.TrainingMode.EVAL,
            do_constant_folding=False,
        )


def step_time(name, batch, steps, channels_last):
    torch.set_num_threads(2)
    network, axes = built(name)
    images, labels = torch.rand(batch, *axes), torch.arange(batch) % 10
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    network.train()
    times = []
    for _ in range(WARM + steps):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[WARM:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    exporting = commands.add_parser("export")
    exporting.add_argument("folder", type=Path)
    timing = commands.add_parser("time")
    timing.add_argument("network", choices=NETWORKS)
    timing.add_argument("batch", type=int)
    timing.add_argument("steps", type=int)
    timing.add_argument("--channels-last", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "export":
        export(arguments.folder)
    else:
        print("median", step_time(arguments.network, arguments.batch, arguments.steps, arguments.channels_last))


if __name__ == "__main__":
    main()
