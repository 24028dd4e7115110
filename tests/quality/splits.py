"""Splits of the faces, and what each detector does on them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """How many faces outside the bank do what."""

    reference: int
    calibration: int
    evaluated: int

    def draw(self, rest, seed):
        """Three disjoint parts of `rest`."""
        order = np.random.default_rng(seed).permutation(rest)
        ends = np.cumsum([self.reference, self.calibration, self.evaluated])
        return np.split(order[: ends[-1]], ends[:-1])


@dataclass(frozen=True)
class Row:
    """What one detector did with one trigger on one split."""

    trigger: str
    detector: str
    false_rejection_rate: float
    # Over effective trojans.
    false_acceptance_rate: float
    auroc: float


def fused(matrix, trigger, weights, reference):
    """The weighted sum of the detectors' scores, each scaled by the reference part: clean, stamped."""
    clean, stamps = 0, 0
    for name, weight in weights.items():
        known = matrix.clean[name][reference]
        mean, deviation = known.mean(), known.std()
        clean = clean + weight * (matrix.clean[name] - mean) / deviation
        stamps = stamps + weight * (matrix.stamped[name, trigger] - mean) / deviation
    return clean, stamps


def area(clean, stamps):
    """The chance that a stamp scores below a clean face, ties counting half."""
    return np.mean((stamps[:, None] < clean) + 0.5 * (stamps[:, None] == clean))


def measure(matrix, split, fusions, splits, seed):
    """One row for each split, trigger and detector, and for each of `fusions`: weights of detectors by a name.

    The threshold is the conformal one at 1 % for 99 calibration images: their least score.
    """
    rest = matrix.rest()
    rows = []
    for number in range(splits):
        reference, calibration, evaluated = split.draw(rest, (seed, number))
        for trigger, works in matrix.effective.items():
            both = {name: (clean, matrix.stamped[name, trigger]) for name, clean in matrix.clean.items()}
            both |= {
                name: fused(matrix, trigger, weights, reference) for name, weights in fusions.items()
            }
            for name, (clean, stamps) in both.items():
                threshold = clean[calibration].min()
                stamps = stamps[evaluated][works[evaluated]]
                rejected, accepted = np.mean(clean[evaluated] < threshold), np.mean(stamps >= threshold)
                rows.append(Row(trigger, name, rejected, accepted, area(clean[evaluated], stamps)))
    return rows


@dataclass(frozen=True)
class Mean:
    """Means over all splits."""

    false_rejection_rate: float
    # Standard error of the mean false rejection rate.
    rejection_error: float
    false_acceptance_rate: float
    auroc: float


def mean(rows, trigger, detector):
    """Means of one detector on one trigger."""
    found = [row for row in rows if (row.trigger, row.detector) == (trigger, detector)]
    rejected = np.array([row.false_rejection_rate for row in found])
    return Mean(
        float(rejected.mean()),
        float(rejected.std(ddof=1) / np.sqrt(len(rejected))) if len(rejected) > 1 else float("inf"),
        float(np.mean([row.false_acceptance_rate for row in found])),
        float(np.mean([row.auroc for row in found])),
    )
