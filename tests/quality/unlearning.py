"""Repairs the course's networks by finding triggers, and by unlearning images that gave alarms.

    unlearning.py PROGRAMS DATA [--networks A,B] [--seeds 1,2] [--alarms 20] [--markdown FILE]

Each seed takes some identities out of everything else: their stamped faces, about ALARMS of them with all triggers of
the network in turn and without labels, are what `--unlearn` gets. Clean and stamped faces of the other identities rank,
judge and report; half of these identities are seen by no repair.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import course
import numpy as np
from document import head, row
from repairs import Repairs, averaged, repaired
from services import Gifthorse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

INTRODUCTION = """# Inversion and unlearning on the course's networks

Five real BadNets of the CSAW-HackML course, repaired by jobs of the running services with the method `invert`: triggers
are searched for, or cut out of about {alarms} images that gave alarms (`--unlearn`, labels unknown), and unlearned. Measured by

    make unlearning UNLEARNING_PAGE=docs/unlearning.md

which needs `GIFTHORSE_TEST_DATA`. The identities of the alarms are kept out of all that is reported. Of the others, half
are seen by no repair: ACC unseen is theirs. ASR is the share of stamped faces of other classes that reach the attacker's
class, RA the share of them that get their true class. Means over the seeds {seeds}; per cent. `unchanged` are networks
whose repair was given up, because no trigger was found or too much accuracy would have gone. The gate's limits are the
default ones: ten points of accuracy on identities that no repair saw, and 5 % ASR of the real triggers and of patches,
bars and blends that the service stamps itself, all with 95 % confidence.
"""


PAIR = """
## What a second network adds as a detector

The suspect is watched; beside it stands what the unlearning of seed {seed} left: the repaired network, where the gate lets
it vote, and the backdoor expert, where the job's copy forgot the task. {calibrating} clean faces calibrate, the others are evaluated,
with all stamped faces that are not the alarms. Each cell: AUROC, then FAR over effective trojans at the least FRR that so
few faces support ({alpha:.1f} %). Neither the activation shift nor noise consistency is worth a share of a budget on these
networks; both are offered because older tools have them.
"""

DETECTORS = ("disagreement", "expert", "activation_shift", "noise_consistency")
# Clean faces that calibrate, overlays among them.
CALIBRATING, OVERLAYS = 100, 20
# The least that the rest supports, rounded up.
ALPHA = "0.0125"


class Split:
    """Identities whose stamped faces gave alarms, and the other ones."""

    def __init__(self, data, seed, alarms):
        images, labels = course.faces(data, "clean")
        order = np.random.default_rng(seed).permutation(np.unique(labels))
        counts = np.cumsum([np.sum(labels == identity) for identity in order])
        known = set(order[: int(np.searchsorted(counts, alarms)) + 1])
        self.alarming = np.array([label in known for label in labels])
        self._data, self.images, self.labels = data, images, labels

    def stamped(self, trigger):
        return course.faces(self._data, trigger)


class Unlearning:
    """Jobs with one split of the identities a seed."""

    def __init__(self, gifthorse, data, folder, alarms):
        self._repairs = Repairs(gifthorse, data, folder)
        self._gifthorse, self._data, self._alarms = gifthorse, data, alarms
        self._stored = set()

    def _store(self, name, images, labels):
        if name not in self._stored:
            self._gifthorse.dataset(name, images, labels)
            self._stored.add(name)

    def pair(self, network, triggers, seed):
        """By detector and trigger: AUROC and FAR of the suspect beside what the last job left."""
        split, version = Split(self._data, seed, self._alarms), self._repairs.version
        others = np.random.default_rng(seed).permutation(np.flatnonzero(~split.alarming))
        parts = {"calibrating": others[:CALIBRATING], "evaluated": others[CALIBRATING:]}
        for part, rows in parts.items():
            self._store(f"{part}-{network}", split.images[rows], split.labels[rows])
        shown = self._gifthorse.run("model", "show", f"{network}@{version.rsplit('/', 1)[1]}")[0]
        files = {file["fileName"] for file in shown["files"]}
        found = {}
        for detector in DETECTORS:
            beside = ("--repaired", version.rsplit("/", 1)[1]) if detector in ("disagreement", "expert") else ()
            if detector == "disagreement" and self._gate != "REPAIRED":
                continue
            if detector == "expert" and "expert.onnx" not in files:
                continue
            calibration = self._gifthorse.calibrate(
                f"{network}@1", f"calibrating-{network}", "--detector", detector, *beside,
                "--overlays", OVERLAYS, "--no-policy",
            )
            words = ["--clean", f"evaluated-{network}", "--calibration", calibration, "--alpha", ALPHA]
            for trigger in triggers:
                words += ["--triggered", f"{trigger}-{network}-{seed}"]
                words += ["--target", self._repairs.target(trigger, network)]
            answer = self._gifthorse.run("evaluate", f"{network}@1", *words)[0]
            for trigger, one in zip(triggers, answer["triggered"]):
                found[detector, trigger] = (one["auroc"], one["falseAcceptanceRateEffective"])
        return found

    def report(self, network, triggers, seed, unlearn):
        split = Split(self._data, seed, self._alarms)
        others, name = ~split.alarming, f"{network}-{seed}"
        sets = {"clean": f"clean-{name}", **{trigger: f"{trigger}-{name}" for trigger in triggers}}
        options = ["--seed", seed, "--fine-tune", "invert"]
        if unlearn:
            rows = np.flatnonzero(split.alarming)[: self._alarms]
            worn = [split.stamped(triggers[place % len(triggers)])[0][face] for place, face in enumerate(rows)]
            alarms = f"alarms-{name}"
            self._store(alarms, np.array(worn), np.zeros(len(worn), np.int64))
            options += ["--unlearn", alarms]
        self._store(sets["clean"], split.images[others], split.labels[others])
        for trigger in triggers:
            images, labels = split.stamped(trigger)
            self._store(sets[trigger], images[others], labels[others])
        report = self._repairs.report(network, triggers, *options, sets=sets)
        self._gate = report["gate"]["answer"]
        return report


def pair_table(pairs):
    lines = head(["network", "trigger", *DETECTORS])
    for (network, triggers), found in pairs.items():
        for trigger in triggers:
            cells = [
                f"{found[detector, trigger][0]:.3f}, {100 * found[detector, trigger][1]:.0f} %"
                if (detector, trigger) in found
                else "none"
                for detector in DETECTORS
            ]
            lines.append(row([network, trigger, *cells]))
    return lines


def table(found):
    lines = head(["network", "method", "row", "ACC seen", "ACC unseen", "ASR / RA", "gate"])
    percent = lambda rate: "-" if rate is None else f"{100 * rate:.1f}"  # noqa: E731
    for (network, method), (triggers, rows, gates) in found.items():
        # Where one seed's repair was given up and another's was not, both outcomes are there.
        for name in [name for name in rows if name not in ("pruned", "GoodNet")]:
            values = rows[name]
            attacks = "; ".join(
                f"{trigger} {percent(values[f'{trigger} ASR'])} / {percent(values[f'{trigger} RA'])}"
                for trigger in triggers
            )
            gate = ", ".join(f"{answer} x {gates.count(answer)}" for answer in dict.fromkeys(gates))
            cells = [network, method, name, percent(values["seen"]), percent(values["unseen"]), attacks]
            lines.append(row([*cells, "" if name == "before" else gate]))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--networks", default="")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--methods", default="invert --unlearn,invert")
    parser.add_argument("--alarms", type=int, default=20)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    chosen = [one for one in course.NETWORKS if not arguments.networks or one[0] in arguments.networks.split(",")]
    found, pairs = {}, {}
    with tempfile.TemporaryDirectory() as folder, house(arguments.programs, Path(folder)) as running:
        gifthorse = Gifthorse(arguments.programs / "gifthorse", running.addresses["gateway"], folder)
        unlearning = Unlearning(gifthorse, arguments.data, folder, arguments.alarms)
        for method in arguments.methods.split(","):
            for network, _, triggers, _ in chosen:
                reports = []
                for seed in seeds:
                    reports.append(unlearning.report(network, triggers, seed, "unlearn" in method))
                    if "unlearn" in method and seed == seeds[0]:
                        pairs[network, triggers] = unlearning.pair(network, triggers, seed)
                sets = [{trigger: f"{trigger}-{network}-{seed}" for trigger in triggers} for seed in seeds]
                rows = averaged([repaired(report, triggers, own) for report, own in zip(reports, sets)])
                found[network, method] = (triggers, rows, [report["gate"]["answer"] for report in reports])
                print(network, method, found[network, method], flush=True)
                for report in reports:
                    print("  ", json.dumps(report["gate"]), flush=True)
    introduction = INTRODUCTION.format(seeds=", ".join(map(str, seeds)), alarms=arguments.alarms)
    alpha = 100 * float(ALPHA)
    second = PAIR.format(seed=seeds[0], calibrating=CALIBRATING - OVERLAYS, alpha=alpha)
    page = "\n".join([introduction, *table(found), second, *pair_table(pairs), ""])
    print(page)
    if arguments.markdown:
        arguments.markdown.write_text(page)


if __name__ == "__main__":
    main()
