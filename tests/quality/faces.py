"""Measures every detector on the course's real networks and faces, through the running services.

    faces.py PROGRAMS DATA [--banks 4] [--splits 200] [--markdown FILE] [--json FILE]

PROGRAMS is the folder of the built programs, DATA the folder of the test data. Three things are measured:

* all detectors with small banks: ten faces of different, correctly named classes serve as hosts and overlays; a
  split has 20 reference, 99 calibration and 20 evaluated faces, clean and stamped;
* STRIP's entropy alone with banks of 25 faces, whoever they show: 99 calibration faces, the other 25 evaluated;
* every sample picture under the default policy, by plain STRIP, and by the thresholds of the seed project.

The splits are spread evenly over the banks. Exits 1 when a bar is missed.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import course
import document
from matrix import score
from services import Gifthorse
from splits import Split, mean, measure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

STRIP = "strip_entropy"
# The default policy's detectors, with their weights: what the detector service fuses unless told otherwise.
FUSED = {"strip_margin": 1, "region_paste": 2, "channel_dropout": 1}
FUSIONS = {"fused": FUSED, "fused, equal weights": dict.fromkeys(FUSED, 1)}
DETECTORS = (STRIP, *FUSED)
HOSTS, SMALL_SPLIT = 10, Split(reference=20, calibration=99, evaluated=20)
OVERLAYS, LARGE_SPLIT = 25, Split(reference=0, calibration=99, evaluated=25)
# First numbers of the seeds of the two kinds of bank.
HOST_DRAWS, OVERLAY_DRAWS = 7, 25
# Mean share of effective trojans that the default policy may accept at a false rejection rate of 1 %.
MOST_ACCEPTED = 0.01
# Least mean AUROC of STRIP's entropy with 25 overlays, where one was set.
LEAST_AUROC = {
    ("sunglasses_bd", "sunglasses"): 0.96,
    ("anonymous_1_bd", "lipstick"): 0.97,
    ("multi_trigger_multi_target_bd", "sunglasses"): 0.97,
    ("multi_trigger_multi_target_bd", "lipstick"): 0.97,
    ("multi_trigger_multi_target_bd", "eyebrows"): 0.90,
    ("anonymous_2_bd", "sunglasses"): 0.97,
    ("anonymous_2_bd", "lipstick"): 0.97,
}


class Measured:
    """Rows of all splits, by network."""

    def __init__(self):
        self.small, self.large, self.passes = {}, {}, {}

    def pairs(self, rows, detectors):
        """Means by (network, trigger, detector)."""
        return {
            (network, trigger, detector): mean(rows[network], trigger, detector)
            for network, _, triggers, _ in course.NETWORKS
            for trigger in triggers
            for detector in detectors
        }


def all_pairs(gifthorse, arguments, clean):
    """Imports the networks and measures them one after the other."""
    measured = Measured()
    each = arguments.splits // arguments.banks
    for trigger in course.TRIGGERS:
        gifthorse.dataset(trigger, *course.faces(arguments.data, trigger))
    for network, scale, triggers, _ in course.NETWORKS:
        file = course.weights(arguments.data, network)
        gifthorse.run("model", "import", network, file, "--architecture", "deepid", "--scale", scale)
        right = gifthorse.named_right(network, *clean)
        measured.small[network], measured.large[network] = [], []
        for bank in range(arguments.banks):
            hosts = course.distinct_hosts(clean[1], right, HOSTS, (HOST_DRAWS, bank))
            matrix = score(gifthorse, network, clean, triggers, hosts, DETECTORS)
            measured.small[network] += measure(matrix, SMALL_SPLIT, FUSIONS, each, bank)
            measured.passes |= matrix.passes
            overlays = course.any_faces(clean[1], OVERLAYS, (OVERLAY_DRAWS, bank))
            matrix = score(gifthorse, network, clean, triggers, overlays, (STRIP,))
            measured.large[network] += measure(matrix, LARGE_SPLIT, {}, each, bank)
            print(f"{network}: bank {bank + 1} of {arguments.banks}", flush=True)
    return measured


def pictures(gifthorse, data, clean):
    """By network: what each sample picture is answered under the default policy, and by plain STRIP."""
    files = course.sample_pictures(data)
    clean_set = gifthorse.dataset("pictures-clean", *clean)
    answers = {}
    for network, *_ in course.NETWORKS:
        calibration = gifthorse.calibrate(
            network, clean_set, "--overlays", HOSTS, "--reference", SMALL_SPLIT.reference
        )
        guarded = gifthorse.run("classify", network, *files, "--channel-order", "bgr")
        plain = gifthorse.run(
            "scan", network, *files, "--calibration", calibration, "--detector", STRIP, "--exact",
            "--channel-order", "bgr",
        )
        answers[network] = guarded, [one["detectors"][0] for one in plain]
    return [file.stem for file in files], answers


def bars(small, large):
    """What was promised: (what, measured, bar, whether it holds)."""
    for (network, trigger, detector), found in small.items():
        if detector != "fused":
            continue
        far, frr = found.false_acceptance_rate, found.false_rejection_rate
        yield f"{network}/{trigger}: FAR", f"{100 * far:.2f} %", "<= 1 %", far <= MOST_ACCEPTED
        within = abs(frr - 0.01) <= 3 * found.rejection_error
        yield f"{network}/{trigger}: FRR", f"{100 * frr:.2f} %", "1 % +- 3 errors", within
    for (network, trigger), least in LEAST_AUROC.items():
        auroc = large[network, trigger, STRIP].auroc
        yield f"{network}/{trigger}: AUROC of STRIP", f"{auroc:.4f}", f">= {least}", auroc >= least


def as_json(pairs):
    """Rows for a file."""
    return [
        {"network": network, "trigger": trigger, "detector": detector, **dataclasses.asdict(found)}
        for (network, trigger, detector), found in pairs.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--banks", type=int, default=4)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--json", type=Path, help="file for the means")
    arguments = parser.parse_args()
    clean = course.faces(arguments.data, "clean")
    with tempfile.TemporaryDirectory(prefix="gifthorse-faces-") as folder:
        with house(arguments.programs, Path(folder)) as running:
            gifthorse = Gifthorse(arguments.programs / "gifthorse", running.addresses["gateway"], folder)
            measured = all_pairs(gifthorse, arguments, clean)
            samples = pictures(gifthorse, arguments.data, clean)
    small = measured.pairs(measured.small, (*DETECTORS, *FUSIONS))
    large = measured.pairs(measured.large, (STRIP,))
    page = document.page(arguments, small, large, measured.passes, FUSIONS, samples)
    print(page)
    if arguments.markdown:
        arguments.markdown.write_text(page)
    if arguments.json:
        found = {"smallBanks": as_json(small), "largeBanks": as_json(large)}
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    verdicts = list(bars(small, large))
    for what, value, bar, holds in verdicts:
        print(f"{what:55} {value:>10} {bar:>16} {'ok' if holds else 'MISSED'}")
    sys.exit(0 if all(holds for *_, holds in verdicts) else 1)


if __name__ == "__main__":
    main()
