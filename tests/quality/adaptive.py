"""An attacker who sees verdicts: a patch trigger, changed by trial until it passes.

The network is given, with its backdoor; the attacker may put any patch on pictures of his own, send them through the front
door, and see which answers come back as his class and which as "backdoored". From the patch that was trained he goes on by
small changes (its colours, how much of the picture shows through, which of its pixels are there) and keeps what gets
further. That is the least a caller can do who sees no scores, and all he can do with few requests.
"""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Patch:
    """What is put on pictures `[N, H, W, C]`: colours `[h, w, C]` of 0..255 and how much of each pixel is theirs, `[h, w]`."""

    colours: np.ndarray
    opacity: np.ndarray

    @staticmethod
    def trained(channels, side=3):
        """The white square that the lab's preset `badnets` trains."""
        return Patch(np.full((side, side, channels), 255.0), np.ones((side, side)))

    def on(self, images):
        """The pictures with the patch in the corner at the bottom right."""
        height, width = self.opacity.shape
        stamped = images.astype(np.float64)
        corner = stamped[:, -height:, -width:, :]
        corner += self.opacity[..., None] * (self.colours - corner)
        return np.clip(np.rint(stamped), 0, 255).astype(np.uint8)

    def changed(self, chance):
        """A patch a little like this one."""
        opacity, colours = self.opacity.copy(), self.colours.copy()
        kind = chance.integers(4)
        if kind == 0:
            opacity *= chance.uniform(0.5, 1.0)
        elif kind == 1:
            opacity = np.clip(opacity + chance.normal(0, 0.25, opacity.shape), 0, 1)
        elif kind == 2:
            opacity[tuple(chance.integers(side) for side in opacity.shape)] = 0
        else:
            colours = np.clip(colours + chance.normal(0, 60, colours.shape), 0, 255)
        return replace(self, colours=colours, opacity=opacity)


def optimise(success, channels, rounds, seed=1):
    """The patch for which `success` was highest, and what it was at the start and at the end.

    `success(patch, round)` tells the share of pictures that are answered as the attacker wants; it may use other pictures in
    each round, so that luck with one set of them does not count.
    """
    chance = np.random.default_rng(seed)
    best = Patch.trained(channels)
    first = reached = success(best, 0)
    for number in range(1, rounds):
        tried = best.changed(chance)
        got = success(tried, number)
        if got >= reached:
            best, reached = tried, got
    return best, first, reached
