"""A guarded ONNX file in plain onnxruntime: what the services say of every sample picture.

    guarded_file.py PROGRAMS GATEWAY DATA

PROGRAMS is the folder of the programs, GATEWAY the address of the services, DATA that of the test data. The
sunglasses network is imported, calibrated for plain STRIP, which also becomes its policy, and exported with the
guard inside. The file, run here by nothing but onnxruntime, gives each picture the label and the verdict that the
gateway gives it, and the entropy that the detector measures, to 1e-5 bit; the pictures come alone and together.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

import course
from command_line import Gifthorse
from report import Report, require, require_equal

NAME = "guarded-subject"
DETECTOR = "strip_entropy"
TOLERANCE_BIT = 1e-5


def prepared(pictures):
    """The pictures as the network takes them, `[N, H, W, C]`: red first, in 0..1."""
    levels = [np.asarray(Image.open(picture).convert("RGB"), np.float32) for picture in pictures]
    return np.stack(levels)[..., ::-1] / np.float32(255)


class GuardedFile:
    """The file, in a session of onnxruntime."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, images):
        """Labels, verdicts and entropies of images."""
        outputs = ["label", "verdict", "entropy"]
        return list(zip(*self._session.run(outputs, {self._input: images}), strict=True))


def agree(found, served, scanned):
    """The largest difference of an entropy, in bit; labels and verdicts must be equal."""
    worst = 0.0
    for (label, verdict, entropy), answer, scan in zip(found, served, scanned, strict=True):
        file, (finding,) = answer["file"], scan["detectors"]
        require_equal(int(label), answer.get("label", 0), f"label of {file}")
        require_equal(int(verdict), int(answer["verdict"] == "TROJANED"), f"verdict of {file}")
        require_equal(bool(verdict), finding.get("rejected", False), f"the detector's verdict of {file}")
        require_equal(int(label) == course.CLASSES, bool(verdict), f"index M for {file}")
        require(not finding.get("scoreIsBound"), f"the entropy of {file} is a bound")
        worst = max(worst, abs(float(entropy) - finding["score"]))
    require(worst <= TOLERANCE_BIT, f"entropies differ by {worst:.1e} bit")
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("gateway", help="address of the services")
    parser.add_argument("data", type=Path, help="folder of the test data")
    arguments = parser.parse_args()
    data = course.folder(arguments.data, "a guarded file in plain onnxruntime")
    pictures = course.pictures(data)
    gifthorse = Gifthorse(arguments.programs, arguments.gateway)
    gifthorse("model", "import", NAME, data / course.WEIGHTS, "--architecture", "deepid")
    calibration = gifthorse("calibrate", NAME, "--clean", data / course.CLEAN, "--detector", DETECTOR)[0]["name"]
    served = gifthorse("classify", NAME, *pictures, *course.ORDER)
    by_detector = ["--calibration", calibration, "--detector", DETECTOR, "--exact"]
    scanned = gifthorse("scan", NAME, *pictures, *by_detector, *course.ORDER)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="gifthorse-guarded-") as folder:
        file = Path(folder) / "guarded.onnx"
        gifthorse("model", "export", NAME, "--guarded", "-o", file)
        guarded, images = GuardedFile(file), prepared(pictures)
    with report.check(f"guarded file: {len(pictures)} pictures, one at a time"):
        found = [guarded(images[row : row + 1])[0] for row in range(len(images))]
        worst = agree(found, served, scanned)
        print(f"{sum(int(verdict) for _, verdict, _ in found)} trojaned; entropies differ by at most {worst:.1e} bit")
    with report.check(f"guarded file: {len(pictures)} pictures, all at once"):
        print(f"entropies differ by at most {agree(guarded(images), served, scanned):.1e} bit")
    with report.check("guarded file: both verdicts were given"):
        require_equal({answer["verdict"] for answer in served}, {"CLEAN", "TROJANED"}, "the set of verdicts")
    report.finish()


if __name__ == "__main__":
    main()
