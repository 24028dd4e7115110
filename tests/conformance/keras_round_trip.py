"""Real networks in, Keras files out: what the services export answers in Keras as it did when served.

    keras_round_trip.py GIFTHORSE GATEWAY DATA

GIFTHORSE is the command line, GATEWAY its address, DATA the folder of the test data. Each network of the course
and each repaired network is imported, asked about all sample pictures, exported as Keras .h5, loaded by
keras.models.load_model and asked again; probabilities must agree to 1e-5.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# On some processors oneDNN's kernels alone move a probability by 1.1e-5.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras  # noqa: E402
import numpy  # noqa: E402
import tensorflow  # noqa: E402

TOLERANCE = 1e-5


class CommandLine:
    """The command line against one gateway."""

    def __init__(self, program, gateway):
        self._base = [program, "--gateway", gateway, "--json"]

    def __call__(self, *arguments):
        """The objects it prints; a refusal ends the script."""
        done = subprocess.run([*self._base, *map(str, arguments)], stdout=subprocess.PIPE, check=True, timeout=300)
        return [json.loads(line) for line in done.stdout.splitlines()]


def pixels(path):
    """The picture as the command line feeds it with --channel-order bgr: first and third channel exchanged."""
    levels = tensorflow.io.decode_png(path.read_bytes(), channels=3).numpy()
    return levels[:, :, ::-1].astype("float32")


def networks(data):
    """Name, file, architecture and divisor of every network."""
    for path in sorted((data / "csaw/weights").glob("*.h5")):
        yield path, ["--architecture", "deepid"], 1 if path.name.startswith("lab3") else 255
    for path in sorted((data / "csaw/repaired").glob("*.h5")):
        if "autoencoder" not in path.name:
            yield path, ["--architecture", "deepid"], 255


def compare(command, path, options, divisor, pictures, work):
    """The largest difference of a probability between the service and Keras."""
    name = path.stem.lower().replace(".", "-")[:60]
    command("model", "import", name, path, "--scale", divisor, *options)
    served = command("classify", name, *pictures, "--channel-order", "bgr", "--top", 100)
    exported = work / f"{name}.h5"
    command("model", "export", name, "-o", exported, "--format", "keras")
    model = keras.models.load_model(exported, compile=False)
    batch = numpy.stack([pixels(picture) / divisor for picture in pictures])
    answers = model.predict(batch, verbose=0)
    worst = 0.0
    for answer, row in zip(served, answers, strict=True):
        assert answer["label"] == int(row.argmax()), (name, answer["file"])
        for listed in answer["top"]:
            worst = max(worst, abs(listed["probability"] - float(row[listed["label"]])))
    return name, worst


def main():
    program, gateway, data = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if not (data / "csaw/weights").is_dir():
        print(f"SKIPPED: real networks need the test data, and there is none at {data}")
        return
    command = CommandLine(program, gateway)
    pictures = sorted((data / "csaw/images").glob("*.png"))
    failures = 0
    with tempfile.TemporaryDirectory(prefix="gifthorse-keras-") as folder:
        for path, options, divisor in networks(data):
            name, worst = compare(command, path, options, divisor, pictures, Path(folder))
            good = worst <= TOLERANCE
            failures += not good
            print(f"{name} {'ok' if good else 'DIFFERS'}, {len(pictures)} pictures, at most {worst:.1e}", flush=True)
    sys.exit(min(failures, 100))


if __name__ == "__main__":
    main()
