"""Measures the whole system on victims that the lab makes: attack, detect, repair.

    lab.py PROGRAMS [--data DATA] [--cases NAME,...] [--work FOLDER] [--subset] [--markdown FILE] [--json FILE]

PROGRAMS is the folder of the built programs. A case is a data set, a victim and an attack: the lab trains the victim, the
services import, calibrate and evaluate it, and jobs repair it. Drawn faces need nothing; MNIST and CIFAR-10 are taken from
DATA, and are left out, loudly, where it has none. With --work, what is measured there already is not measured again.
--subset measures one attacked and one clean network on drawn faces, without repairs but one, and exits 1 on broken
invariants alone: realised false rejection rates far from what was promised, verdicts that do not repeat.
Needs the packages of requirements.txt.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import conformal
import lab_page
import numpy as np
import onnxruntime
from services import Gifthorse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

ALPHA = 0.01
# Measured beside the default policy's detectors and plain STRIP, which its calibration holds.
BESIDE = ("noise_consistency",)
METHODS = ("none", "ft", "ft-sam", "fst", "unlearn")
# Clean and triggered test images that are scanned, and alarms that are unlearned.
CLEAN, TRIGGERED, ALARMS = 1500, 500, 20
TARGET = 3


@dataclass(frozen=True)
class Data:
    """Where pictures come from, and the victim that learns from them."""

    name: str
    victim: str
    # Sizes of the parts for training, repair, calibration and test.
    shares: str
    # Files of the data folder; none for drawn faces.
    training: str = ""
    test: str = ""
    # Further words for the lab.
    words: tuple = ()


FACES = Data("faces", "deepid", "50,4,23,23", words=("--identities", "40", "--images-each", "200"))
FEW_FACES = Data("few-faces", "deepid", "40,5,30,25", words=("--identities", "20", "--images-each", "120", "--epochs", "10"))
MNIST = Data("mnist", "mnist", "60,5,17,18", "mnist_10k_1x28x28.h5")
CIFAR = Data(
    "cifar10", "conv4", "78,5,17,1", "cifar10_train_15000.h5", "cifar10_test_2500.h5", words=("--epochs", "16")
)
CASES = [
    *((FACES, attack) for attack in ("none", "sunglasses", "lipstick", "badnets", "blended", "sig", "wanet", "tact")),
    *((MNIST, attack) for attack in ("none", "badnets", "blended")),
    *((CIFAR, attack) for attack in ("none", "badnets", "blended", "sig", "wanet", "tact")),
]
SUBSET = [(FEW_FACES, "none"), (FEW_FACES, "sunglasses")]


def pictures(path, most=None):
    """Images `[N, H, W, C]` and labels of a file of the lab; evenly spread ones where there are more than `most`."""
    with np.load(path) as file:
        images, labels = file["data"], file["label"]
    if most and len(labels) > most:
        rows = np.linspace(0, len(labels) - 1, most).astype(int)
        images, labels = images[rows], labels[rows]
    return images, labels


class Case:
    """One victim, from its training to its repairs."""

    def __init__(self, data, attack, arguments, gifthorse, work):
        self.data, self.attack, self.name = data, attack, f"{data.name}-{attack}"
        self._arguments, self._gifthorse, self.folder = arguments, gifthorse, work / f"{data.name}-{attack}"

    def train(self):
        """Has the lab train the victim, where it is not there yet; its manifest."""
        manifest = self.folder / "manifest.json"
        if not manifest.exists():
            words = [*self.data.words]
            if self.data.training:
                words += ["--data", self._arguments.data / "datasets" / self.data.training]
            if self.data.test:
                words += ["--test", self._arguments.data / "datasets" / self.data.test]
            command = [
                self._arguments.programs / "gifthorse", "lab", "train", *words, "--victim", self.data.victim,
                "--attack", self.attack, "--target", TARGET, "--shares", self.data.shares, "--output", self.folder,
            ]  # fmt: skip
            subprocess.run([str(word) for word in command], check=True, capture_output=True)
        return json.loads(manifest.read_text())

    def store(self):
        """Imports network and data sets; not more images of those that are scanned than are counted on."""
        self._gifthorse.run("model", "import", self.name, self.folder / "network.h5", "--scale", "255")
        self.triggered = [path.stem for path in sorted(self.folder.glob("triggered_*.npz"))]
        for part in ("repair", "calibration"):
            self._gifthorse.run("dataset", "add", f"{self.name}-{part}", self.folder / f"{part}.npz")
        for part in ("test", *self.triggered):
            images, labels = pictures(self.folder / f"{part}.npz", CLEAN if part == "test" else TRIGGERED)
            self._gifthorse.dataset(f"{self.name}-{part}", images.transpose(0, 3, 1, 2), labels)

    def detect(self):
        """Evaluates the default policy and single detectors on test pictures, clean and triggered."""
        words = ["--clean", f"{self.name}-test", "--alpha", ALPHA]
        for triggered in self.triggered:
            words += ["--triggered", f"{self.name}-{triggered}", "--target", TARGET]
        found = []
        for detectors in ((), BESIDE):
            named = [word for name in detectors for word in ("--detector", name)]
            started = time.monotonic()
            calibration = self._gifthorse.calibrate(
                f"{self.name}@1", f"{self.name}-calibration", *named, "--alpha", ALPHA, "--no-policy"
            )
            seconds = time.monotonic() - started
            decides = ("--detector", detectors[0]) if detectors else ()
            # A clean network has no triggered pictures: its clean ones stand in, and what is found on them is not read.
            answer = self._evaluate(words, calibration, decides)
            answer["calibrationSeconds"] = seconds
            found.append(answer)
        return found

    def repeats(self):
        """Whether scores of the sample pictures are the same to the last bit, one by one and all together."""
        samples = sorted((self.folder / "samples").glob("*.png"))
        calibration = self._gifthorse.calibrate(
            f"{self.name}@1", f"{self.name}-calibration", "--alpha", ALPHA, "--no-policy"
        )
        words = ("--calibration", calibration, "--exact")

        def scores(answers):
            return [[(one["detector"], one.get("score")) for one in answer["detectors"]] for answer in answers]

        together = scores(self._gifthorse.run("scan", f"{self.name}@1", *samples, *words))
        apart = [scores(self._gifthorse.run("scan", f"{self.name}@1", sample, *words))[0] for sample in samples]
        return together == apart

    def _evaluate(self, words, calibration, decides):
        stand_in = () if self.triggered else ("--triggered", f"{self.name}-test")
        arguments = ("evaluate", f"{self.name}@1", *words, *stand_in, "--calibration", calibration, *decides)
        return self._gifthorse.run(*arguments)[0]["evaluation"]

    def repair(self, method):
        """A job by this method; what its network does on all test pictures."""
        words = ["--fine-tune", "invert" if method == "unlearn" else method]
        if method == "unlearn":
            alarms = f"{self.name}-alarms"
            images = [pictures(self.folder / f"{part}.npz", ALARMS)[0] for part in self.triggered]
            images = np.concatenate(images)[:ALARMS]
            self._gifthorse.dataset(alarms, images.transpose(0, 3, 1, 2), np.zeros(len(images), np.int64))
            words += ["--unlearn", alarms]
        started = time.monotonic()
        command = ("prune", f"{self.name}@1", "--clean", f"{self.name}-repair", "--seed", 1, *words)
        name = self._gifthorse.run(*command)[0]["name"].removeprefix("pruningJobs/")
        while (job := self._gifthorse.run("job", "show", name)[0])["state"] in ("QUEUED", "RUNNING"):
            time.sleep(0.5)
        if job["state"] != "SUCCEEDED":
            return {"refused": job["fault"]["message"]}
        found = {"gate": job.get("gate", {}).get("result"), "seconds": time.monotonic() - started}
        version = job["version"].rsplit("/", 1)[1]
        path = self.folder / f"{method}.onnx"
        self._gifthorse.run("model", "export", f"{self.name}@{version}", "-o", path)
        return found | self.answers(path)

    def answers(self, path):
        """Accuracy of an ONNX file on the test pictures, ASR and RA on the triggered ones (without alarms)."""
        options = onnxruntime.SessionOptions()
        # Threads that spin take the processors from the services.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def classes(images):
            batches = np.split(images, range(500, len(images), 500))
            return np.concatenate(
                [session.run(None, {name: batch.astype(np.float32) / 255})[0].argmax(1) for batch in batches]
            )

        images, labels = pictures(self.folder / "test.npz")
        found = {"accuracy": float(np.mean(classes(images) == labels)), "triggered": {}}
        for part in self.triggered:
            images, labels = pictures(self.folder / f"{part}.npz")
            answered = classes(images)
            found["triggered"][part] = {
                "asr": float(np.mean(answered == TARGET)), "ra": float(np.mean(answered == labels))
            }  # fmt: skip
        return found

    def measure(self, methods):
        """Everything about it; what the folder holds from an earlier run is not measured again."""
        manifest = self.train()
        self.store()
        result = {"case": self.name, "data": self.data.name, "victim": self.data.victim, "attack": self.attack}
        result["seed"] = manifest["seed"]
        result["trained"] = self.answers(self.folder / "network.onnx")
        result["detection"] = self._once("detection", self.detect)
        result["repeats"] = self._once("repeats", self.repeats)
        result["conformal"] = [asdict(kept) for kept in self.kept_word(result["detection"][0])]
        skipped = () if self.triggered else ("unlearn",)
        result["repairs"] = {
            method: self._once(f"repair-{method}", lambda method=method: self.repair(method))
            for method in methods
            if method not in skipped
        }
        return result

    def _once(self, name, measured):
        stored = self.folder / f"{name}.json"
        if not stored.exists():
            stored.write_text(json.dumps(measured()) + "\n")
        return json.loads(stored.read_text())

    @staticmethod
    def kept_word(evaluation):
        """Whether conformal thresholds on STRIP's exact entropies keep their word, over 200 re-splits."""
        strip = next(one for one in evaluation["detectors"] if one["detector"] == "strip_entropy")
        scores = [*strip["calibrationScores"], *strip["cleanScores"]]
        for alpha in (0.01, 0.05):
            for rule in ("marginal", "pac"):
                if len(scores) >= 1500:
                    yield conformal.resplit(scores, alpha, rule, calibration=1000)


def invariants(results):
    """What must hold whatever chance does: (what, whether it holds)."""
    for result in results:
        for evaluation in result["detection"][:1]:
            rate = evaluation["falseRejectionRate"]
            # The interval of the count at a confidence that one run in ten thousand misses.
            yield f"{result['case']}: FRR {rate}", lab_page.plausible(rate, evaluation["alpha"], evaluation)
        for kept in result["conformal"]:
            yield f"{result['case']}: {kept['rule']} {kept['alpha']}", conformal.Kept(**kept).holds
        yield f"{result['case']}: scores repeat", result["repeats"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cases", help="names such as faces-badnets, separated by commas")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--subset", action="store_true")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cases = SUBSET if arguments.subset else CASES
    if arguments.cases:
        named = arguments.cases.split(",")
        cases = [case for case in cases if f"{case[0].name}-{case[1]}" in named]
    methods = ("unlearn",) if arguments.subset else arguments.methods.split(",")
    results = []
    with tempfile.TemporaryDirectory(prefix="gifthorse-lab-") as folder:
        work = arguments.work or Path(folder) / "work"
        work.mkdir(parents=True, exist_ok=True)
        with house(arguments.programs, Path(folder)) as running:
            gifthorse = Gifthorse(arguments.programs / "gifthorse", running.addresses["gateway"], folder)
            for data, attack in cases:
                if data.training and not (arguments.data and (arguments.data / "datasets" / data.training).exists()):
                    print(f"SKIPPED: {data.name} needs {data.training} in the data folder", flush=True)
                    continue
                case = Case(data, attack, arguments, gifthorse, work)
                results.append(case.measure(methods))
                print(lab_page.line(results[-1]), flush=True)
    if arguments.markdown:
        arguments.markdown.write_text(lab_page.page(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(lab_page.short(results), indent=1) + "\n")
    broken = [what for what, holds in invariants(results) if not holds]
    print("\n".join(f"BROKEN: {what}" for what in broken) or "every invariant holds")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
