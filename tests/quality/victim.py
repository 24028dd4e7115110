"""One victim of the lab, from its training to its repairs."""

import json
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import adaptive
import conformal
import numpy as np
import onnx
import onnxruntime
import psc
import rules

ALPHA = 0.01
# Measured beside the default policy's detectors and plain STRIP, which its calibration holds.
BESIDE = ("noise_consistency", "activation_shift")
# Measured beside a repaired version that the gate lets vote.
PAIRED = ("disagreement", "expert")
# Clean images that calibrate (a thousand scores and more are left beside overlays and the reference), clean and triggered
# test images that are scanned, and alarms that are unlearned.
CALIBRATION, CLEAN, TRIGGERED, ALARMS = 1250, 600, 300, 20
# The same for scans that stop early, and for what one attacker sees.
FEW_CLEAN, FEW_TRIGGERED = 300, 150
# Rounds of the attacker who sees verdicts, and pictures in each.
ROUNDS, TRIED = 24, 60
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

    def __init__(self, data, attack, arguments, running, gifthorse, work):
        self.data, self.attack, self.name = data, attack, f"{data.name}-{attack}"
        self._arguments, self._running, self._gifthorse = arguments, running, gifthorse
        self.folder = work / self.name

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
        self._gifthorse.run("dataset", "add", f"{self.name}-repair", self.folder / "repair.npz")
        self._store(f"{self.name}-calibration", *pictures(self.folder / "calibration.npz", CALIBRATION))
        for part in ("test", *self.triggered):
            most, few = (CLEAN, FEW_CLEAN) if part == "test" else (TRIGGERED, FEW_TRIGGERED)
            self._store(f"{self.name}-{part}", *pictures(self.folder / f"{part}.npz", most))
            self._store(f"{self.name}-{part}-few", *pictures(self.folder / f"{part}.npz", few))

    def _store(self, name, images, labels):
        self._gifthorse.dataset(name, images.transpose(0, 3, 1, 2), labels)

    def detect(self):
        """Evaluates the default policy and single detectors on test pictures, clean and triggered."""
        self._running.forget_peaks()
        started = time.monotonic()
        calibration = self._calibrate()
        seconds = time.monotonic() - started
        found = {"evaluations": [self._evaluate(calibration)], "calibrationSeconds": seconds}
        found["peaks"] = self._running.peaks()
        # STRIP alone, which stops as soon as it knows.
        early = self._evaluate(calibration, "--detector", "strip_entropy", few=True)
        found["early"] = {key: early[key] for key in ("meanPassesClean", "falseRejectionRate", "triggered")}
        if self.attack == "badnets":
            found["adaptive"] = self._adapt(calibration)
        for name in BESIDE:
            try:
                beside = self._calibrate("--detector", name)
            except SystemExit as error:
                found.setdefault("refused", {})[name] = str(error)[-300:]
                continue
            found["evaluations"].append(self._evaluate(beside, "--detector", name))
        return found

    def _calibrate(self, *options):
        part = f"{self.name}-calibration"
        return self._gifthorse.calibrate(f"{self.name}@1", part, *options, "--alpha", ALPHA, "--no-policy")

    def _evaluate(self, calibration, *decides, few=False):
        suffix = "-few" if few else ""
        words = ["--clean", f"{self.name}-test{suffix}", "--alpha", ALPHA]
        for triggered in self.triggered:
            words += ["--triggered", f"{self.name}-{triggered}{suffix}", "--target", TARGET]
        if not self.triggered:
            # A clean network has no triggered pictures: its clean ones stand in, and what is found on them is not read.
            words += ["--triggered", f"{self.name}-test-few"]
        arguments = ("evaluate", f"{self.name}@1", *words, "--calibration", calibration, *decides)
        return self._gifthorse.run(*arguments)[0]["evaluation"]

    def _adapt(self, calibration):
        """How far an attacker gets who changes his patch until verdicts let it pass."""
        images, labels = pictures(self.folder / "test.npz")
        images, labels = images[labels != TARGET], labels[labels != TARGET]
        half = len(images) // 2
        attacked, kept = (images[:half], labels[:half]), (images[half:][:FEW_TRIGGERED], labels[half:][:FEW_TRIGGERED])

        def outcome(name, patch, shown):
            self._store(name, patch.on(shown[0]), shown[1])
            words = ("--clean", f"{self.name}-probe", "--triggered", name, "--target", TARGET)
            answer = self._gifthorse.run(
                "evaluate", f"{self.name}@1", *words, "--calibration", calibration, "--alpha", ALPHA
            )  # fmt: skip
            return answer[0]["evaluation"]["triggered"][0]

        def success(patch, number):
            first = number * TRIED % max(1, len(attacked[0]) - TRIED)
            shown = tuple(one[first : first + TRIED] for one in attacked)
            return outcome(f"{self.name}-try-{number}", patch, shown)["residualAttackSuccessRate"].get("estimate", 0)

        self._store(f"{self.name}-probe", images[:2], labels[:2])
        best, first, last = adaptive.optimise(success, images.shape[-1], ROUNDS)
        trained = outcome(f"{self.name}-trained", adaptive.Patch.trained(images.shape[-1]), kept)
        return {"first": first, "last": last, "trained": trained, "adapted": outcome(f"{self.name}-adapted", best, kept)}

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
        if method == "unlearn":
            found["paired"] = self._paired(version)
        return found | self.answers(path)

    def _paired(self, version):
        """What the repaired version adds as a detector; why not, where it may not vote or has no expert."""
        found = {}
        for name in PAIRED:
            try:
                calibration = self._calibrate("--detector", name, "--repaired", version)
                found[name] = self._evaluate(calibration, "--detector", name)["detectors"][0]
            except SystemExit as error:
                found[name] = {"refused": str(error)[-300:]}
        return found

    @staticmethod
    def classes(path):
        """A function that answers the classes of pictures by an ONNX file."""
        options = onnxruntime.SessionOptions()
        # Threads that spin take the processors from the services.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def answered(images):
            batches = np.split(images, range(500, len(images), 500))
            return np.concatenate(
                [session.run(None, {name: batch.astype(np.float32) / 255})[0].argmax(1) for batch in batches]
            )

        return answered

    def answers(self, path):
        """Accuracy of an ONNX file on the test pictures, ASR and RA on the triggered ones (without alarms)."""
        classes = self.classes(path)
        images, labels = pictures(self.folder / "test.npz")
        answered = classes(images)
        # What reaches the attacker's class without any trigger: no attack success rate can be told from it.
        mistaken = float(np.mean(answered[labels != TARGET] == TARGET))
        found = {"accuracy": float(np.mean(answered == labels)), "mistaken": mistaken, "triggered": {}}
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
        self.triggered = [path.stem for path in sorted(self.folder.glob("triggered_*.npz"))]
        if not self._arguments.stored:
            self.store()
        result = {"case": self.name, "data": self.data.name, "victim": self.data.victim, "attack": self.attack}
        result["seed"] = manifest["seed"]
        result["trained"] = self.answers(self.folder / "network.onnx")
        detection = self._once("detection", self.detect)
        result["detection"] = detection.pop("evaluations")
        result |= detection
        result["repeats"] = self._once("repeats", self.repeats)
        result["conformal"] = [asdict(kept) for kept in self.kept_word(result["detection"][0])]
        skipped = () if self.triggered else ("unlearn",)
        result["repairs"] = {
            method: self._once(f"repair-{method}", lambda method=method: self.repair(method))
            for method in methods
            if method not in skipped and (not self._arguments.stored or self._file(f"repair-{method}").exists())
        }
        result["rules"] = self.rules(result["detection"])
        scaling = self._once("psc", self.parameter_scaling)
        result["psc"] = scaling
        return result

    def rules(self, evaluations):
        """Older rules beside ours; where there are repaired networks, any disagreement with them as well."""
        disagreement = {}
        for method in ("none", "unlearn"):
            path = self.folder / f"{method}.onnx"
            if path.exists():
                pair = [self.classes(one) for one in (self.folder / "network.onnx", path)]
                clean = pictures(self.folder / "test.npz", CLEAN)[0]
                shown = pictures(self.folder / f"{self.triggered[0]}.npz", TRIGGERED)[0] if self.triggered else clean
                answers = [[answered(images) for answered in pair] for images in (clean, shown)]
                disagreement[f"any disagreement with `{method}`"] = (*answers, TARGET)
        return rules.legacy(evaluations, ALPHA, bool(self.triggered), disagreement)

    def parameter_scaling(self):
        """IBD-PSC where there is a normalisation to scale: its rates, as those of any detector."""
        network = self.folder / "network.onnx"
        if not any(node.op_type == "BatchNormalization" for node in onnx.load(network).graph.node):
            return {"refused": "no batch normalisation"}
        images, labels = pictures(self.folder / "calibration.npz")
        scaling = psc.ParameterScaling(network, images, labels)
        if not scaling.copies:
            return {"refused": "no scaling ruins the clean answers"}
        scores = np.sort(scaling.scores(images))
        threshold = scores[conformal.marginal_rank(ALPHA, len(scores)) - 1]
        clean, labels = pictures(self.folder / "test.npz", CLEAN)
        found = {"copies": len(scaling.copies), "frr": float(np.mean(scaling.scores(clean) < threshold))}
        if self.triggered:
            shown, labels = pictures(self.folder / f"{self.triggered[0]}.npz", TRIGGERED)
            effective = (self.classes(network)(shown) == TARGET) & (labels != TARGET)
            scores = scaling.scores(shown)[effective]
            found["far"] = float(np.mean(scores >= threshold)) if len(scores) else None
        return found

    def is_measured(self):
        """Whether the folder holds what detection found."""
        return self._file("detection").exists()

    def _file(self, name):
        return self.folder / f"{name}.json"

    def _once(self, name, measured):
        stored = self._file(name)
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
                if len(scores) >= 1400:
                    yield conformal.resplit(scores, alpha, rule, calibration=1000)
