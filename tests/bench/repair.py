"""Repairs beside their peers in one run: the prune curve beside full passes, a training step beside PyTorch.

    repair.py TORCH_PYTHON KERAS_PYTHON [--rounds 3]

TORCH_PYTHON and KERAS_PYTHON are the interpreters of the environments that the conformance scripts use. Builds the
benchmarks with the release profile (CARGO_TARGET_DIR is heard). Every subject has two threads; peers take turns, figures
are medians over the rounds, and only ratios are worth quoting. Exits 1 when a bar is missed.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Network, batch, steps, and the bars: our step beside PyTorch's at most, NCHW and channels last (none: no bar).
STEPS = (("deepid", 128, 30, 1.0, 1.5), ("resnet18", 64, 6, 1.15, None))
# Layer, images, and the bars: the curve beside full passes in the same engine and in Keras at least.
CURVES = (("pool_3", 12, 18), ("conv_4", 22, 35))
IMAGES = 2000


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=HERE.parent.parent)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def median_of(output):
    return float(re.search(r"^median ([0-9.e+-]+)$", output, re.MULTILINE)[1])


class Bars:
    """What was measured beside what is asked for."""

    def __init__(self):
        self.missed = []

    def tell(self, what, ratio, bar, most):
        held = bar is None or (ratio <= bar if most else ratio >= bar)
        words = "" if bar is None else f" (bar: {'at most' if most else 'at least'} {bar})"
        print(f"{what}: {ratio:.2f}{words}{'' if held else '  MISSED'}", flush=True)
        if not held:
            self.missed.append(what)


def steps(torch, rounds, bars):
    with tempfile.TemporaryDirectory() as folder:
        run(torch, HERE / "training_step.py", "export", folder)
        for network, batch, count, bar, last_bar in STEPS:
            times = {"own": [], "NCHW": [], "channels last": []}
            for _ in range(rounds):
                own = ("cargo", "bench", "-q", "-p", "gifthorse-training", "--bench", "step", "--")
                times["own"].append(median_of(run(*own, Path(folder) / f"{network}.onnx", batch, count)))
                peer = (torch, HERE / "training_step.py", "time", network, batch, count)
                times["NCHW"].append(median_of(run(*peer)))
                times["channels last"].append(median_of(run(*peer, "--channels-last")))
            own, eager, last = (statistics.median(times[name]) for name in times)
            print(f"step of {network}, batch {batch}: {own:.1f} ms, PyTorch eager {eager:.1f}, channels last {last:.1f}")
            bars.tell(f"step of {network} / PyTorch eager NCHW", own / eager, bar, most=True)
            bars.tell(f"step of {network} / PyTorch channels last", own / last, last_bar, most=True)


def curves(keras, bars):
    found = run("cargo", "bench", "-q", "-p", "gifthorse-worker", "--bench", "sweep", "--", "--quick")
    full = median_of(run(keras, HERE / "sweep_keras.py", IMAGES, 3))
    for layer, bar, keras_bar in CURVES:
        line = re.search(rf"^{layer}: (\d+) points of (\d+) images in ([0-9.]+) s, full passes ([0-9.]+) s", found, re.M)
        points, images, swept, naive = int(line[1]), int(line[2]), float(line[3]), float(line[4])
        assert images == IMAGES, line[0]
        print(f"{layer}: {points} points in {swept:.2f} s; full passes {naive:.1f} s, in Keras {full * points:.1f} s")
        bars.tell(f"full passes in the same engine / curve at {layer}", naive / swept, bar, most=False)
        bars.tell(f"full passes of Keras predict / curve at {layer}", full * points / swept, keras_bar, most=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torch", type=Path)
    parser.add_argument("keras", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments, _ = parser.parse_known_args()
    bars = Bars()
    curves(arguments.keras, bars)
    steps(arguments.torch, arguments.rounds, bars)
    if bars.missed:
        sys.exit(f"missed: {'; '.join(bars.missed)}")


if __name__ == "__main__":
    main()
