"""Whether conformal thresholds keep their word on real scores, by counting over many re-splits."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Kept:
    """What re-splits showed of one rule at one budget."""

    alpha: float
    rule: str
    splits: int
    calibration: int
    # Mean realised false rejection rate, and the standard error that chance alone would give it.
    mean: float
    error: float
    # Re-splits whose threshold rejects more than alpha of all other images.
    exceeding: int
    # Chance of so many or more if the promise holds; one for the marginal rule, which promises none of them.
    p_value: float

    @property
    def holds(self):
        if self.rule == "pac":
            return self.p_value > 0.05
        # The guarantee is an upper bound: rounding the rank down loses less than one image.
        return self.mean <= self.alpha + 3 * self.error and self.mean >= self.alpha - 1 / (self.calibration + 1) - 3 * self.error


def marginal_rank(alpha, count):
    """Rank of the threshold among calibration scores: reject strictly below the k-th smallest."""
    return int(np.floor(alpha * (count + 1) + 1e-9))


def pac_rank(alpha, count, delta):
    """The largest rank whose false rejection rate exceeds alpha with probability delta at most."""
    ranks = np.arange(1, count + 1)
    good = ranks[stats.beta.sf(alpha, ranks, count + 1 - ranks) <= delta]
    return int(good[-1]) if len(good) else 0


def resplit(scores, alpha, rule, calibration, splits=200, delta=0.05, seed=1):
    """Splits scores of clean images into calibration and the rest, many times.

    The re-splits share their images, so the realised rates are not independent: what all splits together can show is
    limited by the count of images, and the standard error counts those, not the splits.
    """
    scores = np.asarray(scores)
    rank = marginal_rank(alpha, calibration) if rule == "marginal" else pac_rank(alpha, calibration, delta)
    if rank < 1:
        raise ValueError(f"{calibration} images support no {rule} threshold at {alpha}")
    chance = np.random.default_rng(seed)
    rates = np.empty(splits)
    for split in range(splits):
        order = chance.permutation(len(scores))
        threshold = np.partition(scores[order[:calibration]], rank - 1)[rank - 1]
        rates[split] = np.mean(scores[order[calibration:]] < threshold)
    others = len(scores) - calibration
    # Of the threshold (Beta) and of the images it is tried on, for one split; splits average out part of it.
    variance = rank * (calibration + 1 - rank) / ((calibration + 1) ** 2 * (calibration + 2))
    variance += alpha * (1 - alpha) / others
    exceeding = int(np.sum(rates > alpha))
    # A split counts as exceeding also by the chance of its test part.
    promised = delta if rule == "pac" else 1.0
    allowed = exceeding_chance(rank, calibration, others, alpha) if rule == "pac" else promised
    p_value = float(stats.binom.sf(exceeding - 1, splits, allowed)) if rule == "pac" else 1.0
    return Kept(
        alpha, rule, splits, calibration, float(rates.mean()), float(np.sqrt(variance / splits)), exceeding, p_value
    )


def exceeding_chance(rank, calibration, others, alpha):
    """Chance that more than alpha of the other images are rejected: beta-binomial, the threshold's law and the test part's."""
    return float(stats.betabinom.sf(np.floor(alpha * others + 1e-9), others, rank, calibration + 1 - rank))
