"""Peak memory of a whole pruning job, with ten times the images.

    repair_memory.py PROGRAMS [--images 10000,100000]

PROGRAMS is the folder of the built programs. A small network with random weights (32 x 32 x 3, ten classes) is pruned
and tuned for one epoch on made-up pictures of all classes; the resident memory of the largest worker of this machine is
read while the job runs, so run nothing beside it. A job keeps activations in memory up to a limit and the rest on disk: the
peak grows up to that limit, 64 MiB, and no further. Exits 1 when a job takes more than half a GiB. Run it with
numpy, h5py and onnx (tests/conformance/requirements-keras.txt).
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

CLASSES, SIDE = 10, 32
# MiB of activations that a job keeps in memory, and all else that it needs.
LIMIT, REST = 64, 448


def network():
    """Two convolutions, each pooled, and a linear layer."""
    chance = np.random.default_rng(1)
    nodes, weights, tensor = [], [], "images"

    def parameter(name, *shape):
        scale = 1 / np.sqrt(np.prod(shape[1:]))
        values = (chance.standard_normal(shape) * scale).astype(np.float32)
        weights.append(numpy_helper.from_array(values, name))
        return name

    for number, (taken, made) in enumerate(((3, 16), (16, 32)), 1):
        kernel = parameter(f"conv_{number}.weight", made, taken, 3, 3)
        nodes += [
            helper.make_node("Conv", [tensor, kernel], [f"conv_{number}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"conv_{number}"], [f"relu_{number}"]),
            helper.make_node("MaxPool", [f"relu_{number}"], [f"pool_{number}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
        tensor = f"pool_{number}"
    last = parameter("dense.weight", CLASSES, 32 * (SIDE // 4) ** 2)
    nodes += [
        helper.make_node("Flatten", [tensor], ["flat"]),
        helper.make_node("Gemm", ["flat", last], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", CLASSES])
    graph = helper.make_graph(nodes, "small", [image], [answer], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Watch(threading.Thread):
    """The highest resident memory of any worker, in MiB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self._stop_now = 0.0, threading.Event()

    def run(self):
        while not self._stop_now.is_set():
            for status in Path("/proc").glob("[0-9]*/status"):
                try:
                    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                except OSError:
                    continue
                if lines["Name"].strip() == "gifthorse-worke" and "VmHWM" in lines:
                    self.peak = max(self.peak, int(lines["VmHWM"].split()[0]) / 1024)
            time.sleep(0.2)

    def stop(self):
        self._stop_now.set()
        self.join()
        return self.peak


def pictures(path, count):
    chance = np.random.default_rng(count)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (count, 3, SIDE, SIDE), np.uint8, chunks=(1000, 3, SIDE, SIDE))
        for start in range(0, count, 10_000):
            end = min(count, start + 10_000)
            data[start:end] = chance.integers(0, 256, (end - start, 3, SIDE, SIDE), np.uint8)
        file["label"] = np.arange(count) % CLASSES


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--images", default="10000,100000")
    arguments = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as folder, house(arguments.programs, Path(folder)) as running:

        def run(*words):
            command = [arguments.programs / "gifthorse", "--gateway", running.addresses["gateway"], *words]
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")

        onnx.save(network(), Path(folder) / "small.onnx")
        run("model", "import", "small", Path(folder) / "small.onnx")
        for count in map(int, arguments.images.split(",")):
            path = Path(folder) / f"clean-{count}.h5"
            pictures(path, count)
            run("dataset", "add", f"clean-{count}", path)
            watch, started = Watch(), time.monotonic()
            watch.start()
            # The accuracy of random weights on noise is chance: let it fall.
            run(
                "prune", "small@1", "--clean", f"clean-{count}", "--epochs", "1", "--max-accuracy-drop", "0.9",
                "--parameter", "learning_rate=0.001", "--wait",
            )  # fmt: skip
            peaks.append(watch.stop())
            print(f"{count} images: {time.monotonic() - started:.0f} s, peak of the worker {peaks[-1]:.0f} MiB", flush=True)
    if max(peaks) > LIMIT + REST:
        sys.exit(f"a job took {max(peaks):.0f} MiB, at most {LIMIT + REST} are due")


if __name__ == "__main__":
    main()
