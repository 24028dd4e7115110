"""Cuts the networks of torch_models.py where the defences cut them, and runs the halves.

    torch_halves.py CUT_NETWORK FOLDER

CUT_NETWORK is the example program of that name, FOLDER what torch_models.py wrote. Every network must be cut at its
last activation before the pooling that leaves one pixel a channel, and the second half must make of the first half's
answer the logits of the whole network, for one row and for several.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from report import Report, require, require_equal

TOLERANCE = 1e-5
# Channels, rows and columns of the cut, by the beginning of the network's name.
CUTS = {"resnet18-cifar": [512, 4, 4], "resnet18-imagenet": [512, 7, 7], "vgg": [512, 2, 2]}


def run(path, name, values):
    """What the network of a file answers, its only input being `name`."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    require_equal([one.name for one in session.get_inputs()], [name], f"the inputs of {path.name}")
    (answer,) = session.run(None, {name: values})
    return answer


def differences(program, folder, model, work):
    """The largest differences of a logit, relative to the largest one; and where the network was cut."""
    halves = work / "prefix.onnx", work / "suffix.onnx"
    command = [program, folder / model["file"], *halves]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    require(done.returncode == 0, f"{model['name']} cannot be cut: {done.stderr.strip()[-500:]}")
    found = json.loads(done.stdout)
    cut = found["cut"]
    with np.load(folder / model["samples"]) as stored:
        samples, wanted = stored["input"], stored["logits"]
    worst = 0.0
    for rows in (1, len(samples)):
        activation = run(halves[0], found["input"], samples[:rows])
        require_equal(list(activation.shape), [rows, cut["channels"], cut["height"], cut["width"]], "the activation")
        logits = run(halves[1], found["activation"], activation)
        worst = max(worst, float(np.abs(logits - wanted[:rows]).max() / np.abs(wanted).max()))
    return worst, cut


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program", type=Path, help="the example program cut_network")
    parser.add_argument("folder", type=Path, help="what torch_models.py wrote")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="gifthorse-halves-") as work:
        for model in json.loads((arguments.folder / "models.json").read_text()):
            with report.check(f"{model['name']}: its halves are the whole"):
                worst, cut = differences(arguments.program, arguments.folder, model, Path(work))
                sides = [cut["channels"], cut["height"], cut["width"]]
                print(f"cut at {cut['tensor']} {sides}; logits differ by at most {worst:.1e}")
                (wanted,) = [sides for name, sides in CUTS.items() if model["name"].startswith(name)]
                require_equal(sides, wanted, "the cut")
                require(worst <= TOLERANCE, f"logits differ by {worst:.1e}")
    report.finish()


if __name__ == "__main__":
    main()
