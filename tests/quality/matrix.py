"""One matrix of scores for a network and a bank: an image's score depends on the bank and on itself alone, so the
same scores serve every split of the faces that are not in the bank."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Matrix:
    """Scores of every face, clean and stamped; NaN for clean faces of the bank."""

    bank: np.ndarray
    clean: dict = field(default_factory=dict)
    stamped: dict = field(default_factory=dict)
    # By trigger: which stamps make the network answer the attacker's class.
    effective: dict = field(default_factory=dict)
    # By detector: forward passes of an exact score.
    passes: dict = field(default_factory=dict)

    def rest(self):
        """The faces outside the bank."""
        return np.setdiff1d(np.arange(len(next(iter(self.clean.values())))), self.bank)


def score(gifthorse, network, faces, triggers, bank, detectors):
    """Lets the detector service score all faces, and their stamps by each trigger, with the faces `bank` as
    overlays and hosts.

    A calibration refuses to judge its own images, so the faces outside the bank take turns: one half calibrates
    while the other is scored.
    """
    images, labels = faces
    matrix = Matrix(bank, {name: np.full(len(labels), np.nan) for name in detectors})
    rest = matrix.rest()
    halves = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    stem = f"{network}-{len(bank)}-{'-'.join(map(str, bank[:3]))}"
    overlays = gifthorse.dataset(f"{stem}-bank", images[bank], labels[bank])
    named = [word for name in detectors for word in ("--detector", name)]
    decides = detectors[0]
    for turn, (calibrating, scored) in enumerate([halves, halves[::-1]]):
        calibrating = gifthorse.dataset(f"{stem}-c{turn}", images[calibrating], labels[calibrating])
        evaluated = gifthorse.dataset(f"{stem}-e{turn}", images[scored], labels[scored])
        calibration = gifthorse.calibrate(
            network, calibrating, "--overlay-data", overlays, *named, "--no-policy"
        )
        stamps = [] if turn else [word for name in triggers for word in ("--triggered", f"datasets/{name}")]
        found = gifthorse.run(
            "evaluate", network, "--clean", evaluated, *stamps,
            "--calibration", calibration, "--detector", decides, "--alpha", "0.05",
        )[0]["evaluation"]
        for one in found["detectors"]:
            name = one["detector"]
            if name not in matrix.clean:
                continue
            matrix.clean[name][scored] = one["cleanScores"]
            matrix.passes[name] = one.get("passes", 0)
            for scores in one.get("triggeredScores", []):
                trigger = scores["dataset"].removeprefix("datasets/")
                matrix.stamped[name, trigger] = np.array(scores["scores"])
        for one in found.get("triggered", []):
            matrix.effective[one["dataset"].removeprefix("datasets/")] = np.array(one["effective"])
    return matrix
