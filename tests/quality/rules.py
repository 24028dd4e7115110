"""Older rules of the field, measured on what the evaluations kept beside ours.

The student project that this one grew out of, and most public scripts, decide by a normal fit of STRIP's entropies, by a
fixed activation shift, or by any disagreement with a pruned network. Each is computed here from the same scores and
networks that the page's other figures come from.
"""

import numpy as np
from scipy import stats

SHIFT = 0.8


def found(evaluations, name):
    """The evaluation of a detector of this name among several calibrations."""
    return next((one for evaluation in evaluations for one in evaluation["detectors"] if one["detector"] == name), None)


def effective(evaluations):
    """Which pictures of the first triggered set reach the attacker's class."""
    return np.array(evaluations[0]["triggered"][0]["effective"], bool)


def at(detector, threshold, effective):
    """Rates of a detector that rejects what scores below a threshold: (FRR, FAR over effective trojans)."""
    rejected = float(np.mean(np.array(detector["cleanScores"]) < threshold))
    scores = np.array(detector["triggeredScores"][0]["scores"])[effective]
    return rejected, float(np.mean(scores >= threshold)) if len(scores) else None


def legacy(evaluations, alpha, attacked, disagreement):
    """Every older rule by name: (FRR, FAR); `disagreement` are the answers of two networks, where there are two."""
    strip, shift = found(evaluations, "strip_entropy"), found(evaluations, "activation_shift")
    # Without an attack the triggered pictures are stand-ins: nothing is read off them.
    hits = effective(evaluations) if attacked else np.zeros(len(evaluations[0]["triggered"][0]["effective"]), bool)
    rules = {}
    if strip:
        scores = np.array(strip["calibrationScores"])
        threshold = stats.norm.ppf(alpha, scores.mean(), scores.std())
        rules["normal fit of STRIP"] = at(strip, threshold, hits)
        rules["conformal STRIP"] = at(strip, strip["threshold"], hits)
    if shift:
        # Scores are negated: low is suspicious everywhere.
        rules["activation shift above .8"] = at(shift, -SHIFT, hits)
        rules["conformal activation shift"] = at(shift, shift["threshold"], hits)
    for name, (clean, triggered, target) in disagreement.items():
        apart, reached = clean[0] != clean[1], triggered[0] == target
        accepted = (triggered[0] == triggered[1])[reached]
        rules[name] = float(np.mean(apart)), float(np.mean(accepted)) if attacked and len(accepted) else None
    return rules
