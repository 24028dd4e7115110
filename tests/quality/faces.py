"""Measures every detector on the course's real networks and faces, through the running services.

    faces.py PROGRAMS DATA [--banks 4] [--splits 200] [--markdown FILE]

PROGRAMS is the folder of the built programs, DATA the folder of the test data. For each network and each of the
banks (ten hosts of different, correctly predicted classes, drawn by the bank's number, that also serve as
overlays) the detector service scores all faces and all their triggered stamps; each image's score depends on the
bank and the image alone, so one matrix of scores serves all splits. A split draws 20 reference images, 99
calibration images and 20 images to evaluate, clean and triggered, from the faces that are no hosts. Thresholds are
the conformal ones at a false rejection rate of 1 %: the least of 99 calibration scores.

Then all sample pictures are classified under the default policy, and by plain STRIP.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
from house import house  # noqa: E402

HOSTS, REFERENCE, CALIBRATION, EVALUATED = 10, 20, 99, 20
FUSED = ("strip_margin", "region_paste", "channel_dropout")
DETECTORS = ("strip_entropy", *FUSED)
# Network, divisor of the pixels, its triggers, and the entropy threshold of the seed project where it gave one.
NETWORKS = (
    ("sunglasses_bd", 255, ("sunglasses",), 0.29426),
    ("anonymous_1_bd", 255, ("lipstick",), 0.32473),
    ("multi_trigger_multi_target_bd", 255, ("sunglasses", "lipstick", "eyebrows"), 0.49713),
    ("anonymous_2_bd", 255, ("sunglasses", "lipstick", "eyebrows"), 0.29426),
    ("lab3_bd", 1, ("sunglasses",), None),
)


class Gifthorse:
    """The command line against one gateway."""

    def __init__(self, program, gateway, work):
        self._command = [str(program), "--gateway", gateway]
        self._work = work

    def run(self, *arguments):
        """One command with `--json`; the objects it prints."""
        command = [*self._command, *map(str, arguments), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def dataset(self, name, images, labels):
        """Stores images `[N, C, H, W]` with their classes."""
        path = self._work / f"{name}.h5"
        with h5py.File(path, "w") as file:
            file["data"], file["label"] = images, labels
        self.run("dataset", "add", name, path)
        return f"datasets/{name}"


def faces(data, kind):
    """Images and true classes."""
    with h5py.File(data / "csaw" / f"faces_{kind}.h5") as file:
        labels = file["true_label"] if "true_label" in file else file["label"]
        return file["data"][:], labels[:].astype(np.int64)


def scores(gifthorse, network, clean, stamped, hosts):
    """By detector: the score of each clean face (NaN for hosts), and of each stamped face by trigger; and which
    stamps the network falls for, by trigger."""
    images, labels = clean
    rest = np.setdiff1d(np.arange(len(labels)), hosts)
    halves = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    of_clean = {name: np.full(len(labels), np.nan) for name in DETECTORS}
    of_stamped, effective = {}, {}
    stem = f"{network}-{'-'.join(map(str, hosts[:3]))}"
    bank = gifthorse.dataset(f"{stem}-bank", images[hosts], labels[hosts])
    for turn, (calibrating, scored) in enumerate([halves, halves[::-1]]):
        calibrating = gifthorse.dataset(f"{stem}-c{turn}", images[calibrating], labels[calibrating])
        evaluated = gifthorse.dataset(f"{stem}-e{turn}", images[scored], labels[scored])
        calibration = gifthorse.run(
            "calibrate", network, "--clean", calibrating, "--overlay-data", bank, "--no-policy"
        )[0]
        calibration = calibration.get("calibration", calibration)["name"]
        triggered = [] if turn else [word for name in stamped for word in ("--triggered", f"datasets/{name}")]
        found = gifthorse.run(
            "evaluate", network, "--clean", evaluated, *triggered,
            "--calibration", calibration, "--detector", "fused", "--alpha", "0.05",
        )[0]["evaluation"]
        for detector in found["detectors"]:
            if detector["detector"] in of_clean:
                of_clean[detector["detector"]][scored] = detector["cleanScores"]
                for one in detector.get("triggeredScores", []):
                    trigger = one["dataset"].removeprefix("datasets/")
                    of_stamped[detector["detector"], trigger] = np.array(one["scores"])
        for one in found.get("triggered", []):
            effective[one["dataset"].removeprefix("datasets/")] = np.array(one["effective"])
    return of_clean, of_stamped, effective


def fused(of_clean, of_stamped, trigger, reference):
    """The fused score of every face and of every stamp, scaled by the reference part."""
    clean, stamps = 0, 0
    for name in FUSED:
        known = of_clean[name][reference]
        mean, deviation = known.mean(), known.std()
        clean = clean + (of_clean[name] - mean) / deviation
        stamps = stamps + (of_stamped[name, trigger] - mean) / deviation
    return clean, stamps


def area(clean, stamps):
    """The chance that a stamp scores below a clean face."""
    return np.mean((stamps[:, None] < clean) + 0.5 * (stamps[:, None] == clean))


def measure(of_clean, of_stamped, effective, hosts, splits, seed):
    """Rows of (trigger, detector, FRR, FAR over effective trojans, AUROC), one a split."""
    rest = np.setdiff1d(np.arange(len(of_clean[DETECTORS[0]])), hosts)
    rows = []
    for split in range(splits):
        order = np.random.default_rng((seed, split)).permutation(rest)
        reference, calibration = order[:REFERENCE], order[REFERENCE : REFERENCE + CALIBRATION]
        evaluated = order[REFERENCE + CALIBRATION :][:EVALUATED]
        for trigger, works in effective.items():
            both = {name: (of_clean[name], of_stamped[name, trigger]) for name in DETECTORS}
            both["fused"] = fused(of_clean, of_stamped, trigger, reference)
            for name, (clean, stamps) in both.items():
                threshold = clean[calibration].min()
                stamps = stamps[evaluated][works[evaluated]]
                frr, far = np.mean(clean[evaluated] < threshold), np.mean(stamps >= threshold)
                rows.append((trigger, name, frr, far, area(clean[evaluated], stamps)))
    return rows


def hosts_of(labels, right, bank):
    """Ten faces of different classes that the network names right, by the bank's number."""
    chosen, classes = [], set()
    for face in np.random.default_rng((7, bank)).permutation(len(labels)):
        if right[face] and labels[face] not in classes and len(chosen) < HOSTS:
            chosen.append(face)
            classes.add(labels[face])
    return np.array(chosen)


def named_right(gifthorse, network, data, labels):
    """Which faces the network names right, read off pictures of them."""
    import struct
    import zlib

    def png(pixels):
        height, width, _ = pixels.shape
        lines = b"".join(b"\0" + line.tobytes() for line in pixels)
        chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body)
        )
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, face in enumerate(data.transpose(0, 2, 3, 1)):
            path = Path(folder) / f"{number:03}.png"
            path.write_bytes(png(np.ascontiguousarray(face)))
            paths.append(path)
        answers = gifthorse.run("classify", network, *paths)
    return np.array([answer["networkLabel"] for answer in answers]) == labels


def table(rows, networks):
    """The table of all pairs as lines of Markdown."""
    head = "| network | trigger | " + " | ".join(f"{name} FAR % (FRR %) AUROC" for name in (*DETECTORS, "fused")) + " |"
    lines = [head, "|" + "---|" * (2 + len(DETECTORS) + 1)]
    for network, triggers in networks:
        for trigger in triggers:
            cells = []
            for name in (*DETECTORS, "fused"):
                found = np.array([row[2:] for row in rows[network] if row[:2] == (trigger, name)])
                frr, far, auroc = found.mean(axis=0)
                cells.append(f"{100 * far:.2f} ({100 * frr:.2f}) {auroc:.4f}")
            lines.append(f"| {network} | {trigger} | " + " | ".join(cells) + " |")
    return lines


def pictures(gifthorse, networks, data, clean):
    """Every sample picture under the default policy and by plain STRIP, as lines of Markdown."""
    files = sorted((data / "csaw" / "images").glob("*.png"))
    set_name = gifthorse.dataset("pictures-clean", *clean)
    columns, lines = [], []
    for network, _, _, seed_threshold in networks:
        calibration = gifthorse.run("calibrate", network, "--clean", set_name, "--overlays", HOSTS, "--reference", REFERENCE)[0]
        calibration = calibration.get("calibration", calibration)["name"]
        answers = gifthorse.run("classify", network, *files, "--channel-order", "bgr")
        plain = gifthorse.run(
            "scan", network, *files, "--calibration", calibration, "--detector", "strip_entropy", "--exact",
            "--channel-order", "bgr",
        )
        columns.append((network, seed_threshold, answers, plain))
    lines.append("| picture | " + " | ".join(name for name, *_ in columns) + " |")
    lines.append("|" + "---|" * (1 + len(columns)))
    for number, file in enumerate(files):
        cells = []
        for _, seed_threshold, answers, plain in columns:
            answer, finding = answers[number], plain[number]["detectors"][0]
            entropy = finding["score"]
            seed = "" if seed_threshold is None else (", seed: trojan" if entropy < seed_threshold else ", seed: clean")
            strip = "trojan" if finding.get("rejected") else "clean"
            cells.append(f"**{answer.get('label', 0)}** p {answer['pValue']:.2f} (STRIP {entropy:.3f} bit: {strip}{seed})")
        lines.append(f"| {file.stem} | " + " | ".join(cells) + " |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--banks", type=int, default=4)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    arguments = parser.parse_args()
    clean = faces(arguments.data, "clean")
    rows = {}
    with tempfile.TemporaryDirectory(prefix="gifthorse-faces-") as folder:
        work = Path(folder)
        with house(arguments.programs, work) as running:
            gifthorse = Gifthorse(arguments.programs / "gifthorse", running.addresses["gateway"], work)
            for trigger in ("sunglasses", "lipstick", "eyebrows"):
                gifthorse.dataset(trigger, *faces(arguments.data, trigger))
            for network, scale, triggers, _ in NETWORKS:
                weights = arguments.data / "csaw" / "weights" / f"{network}_weights.h5"
                gifthorse.run("model", "import", network, weights, "--architecture", "deepid", "--scale", scale)
                right = named_right(gifthorse, network, *clean)
                rows[network] = []
                for bank in range(arguments.banks):
                    hosts = hosts_of(clean[1], right, bank)
                    matrix = scores(gifthorse, network, clean, triggers, hosts)
                    splits = arguments.splits // arguments.banks
                    rows[network] += measure(*matrix, hosts, splits, bank)
                    print(f"{network}: bank {bank + 1} of {arguments.banks}", flush=True)
            pairs = table(rows, [(network, triggers) for network, _, triggers, _ in NETWORKS])
            print("\n".join(pairs), flush=True)
            samples = pictures(gifthorse, NETWORKS, arguments.data, clean)
            print("\n".join(samples), flush=True)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join([*pairs, "", *samples, ""]))
    worst = max(
        np.mean([row[3] for row in rows[network] if row[:2] == (trigger, "fused")])
        for network, _, triggers, _ in NETWORKS for trigger in triggers
    )
    print(f"worst mean false acceptance rate of the fused score: {100 * worst:.2f} %")
    sys.exit(0 if worst <= 0.01 else 1)


if __name__ == "__main__":
    main()
