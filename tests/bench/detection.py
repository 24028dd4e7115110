"""Measures scans by STRIP's entropy through the detector service beside Python peers, all in one run.

    detection.py PROGRAMS

PROGRAMS is the folder with gifthorse, gifthorse-serving, gifthorse-detector and gifthorse-load. The network is the
DeepID of victim.py, which all subjects share: Keras (tensorflow-cpu), onnxruntime with NumPy, bare ONNX Runtime
loops, and the detector, asked over gRPC for prepared images under calibrations that `Calibrate` made of synthetic
clean pictures. Every subject gets the same two cores and two threads; the load generator shares them with the
detector, which counts against the detector.

Every round measures each subject once, so that a machine that slows down slows them all; the table shows medians
over the rounds, with the forward passes and the processor time that an input took. Then all held-out pictures are
scanned once under every rule, for verdicts and error rates. Exits 1 when a bar is missed.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from processes import free_port, json_of, pinned, running
from rules import RULES, calibrate

CORES, THREADS = "0,1", 2
START_TIMEOUT_S = 60
MODEL = "victim"
CLIENTS = (1, 8, 32)
# Scans at once that the service takes unless configured otherwise; rates are compared at so many clients.
USUAL_CLIENTS = 8
WARM_UP_S = 1
HERE = Path(__file__).resolve().parent
# The bars this project set itself: how many times as fast, at least.
TIMES_PREDICT, TIMES_SCRIPT, TIMES_FUSED, SHARE_OF_BARE = 3.5, 1.05, 1.0, 0.90
TIMES_CURTAILED, TIMES_EARLY_CLEAN, TIMES_EARLY_TROJANED = 1.7, 4.0, 8.0
# Bits by which peers in single precision may differ when they do the same work.
SAME_SCORE = 1e-3


class Scans:
    """The load generator against the detector."""

    def __init__(self, arguments, address, process, work):
        self._program, self._address = arguments.programs / "gifthorse-load", address
        self._process, self._work = process, work

    def run(self, rule, pictures, *options, timeout_s=300):
        """Scans under a rule; refused requests end the run, because they are cheap."""
        file = self._work / f"{pictures}.raw"
        command = [self._program, self._address, rule.calibration, "--scan", "--input", file, "--shape", "55,47,3"]
        command += ["--detector", "strip_entropy", "--timeout", "120", *rule.options, *options]
        outcome = json_of(pinned(CORES, command), timeout_s)
        if outcome["errors"] or outcome["scans"]["unlike"]:
            raise SystemExit(f"refused or not repeatable: {outcome['errors']} ({' '.join(map(str, command))})")
        return outcome

    def rate(self, rule, pictures, clients, seconds):
        """Scans a second, passes a scan, the detector's processor time a scan in milliseconds."""
        options = ["--concurrency", str(clients), "--warm-up", "0", "--seconds"]
        self.run(rule, pictures, *options, str(WARM_UP_S))
        before = processor_ms(self._process)
        outcome = self.run(rule, pictures, *options, str(seconds))
        used = processor_ms(self._process) - before
        return outcome["requestsPerSecond"], outcome["scans"]["passesPerScan"], used / outcome["requests"]

    def all(self, rule, pictures):
        """What was found of each picture, in order."""
        count = len(np.load(self._work / f"{pictures}.npy", mmap_mode="r"))
        options = ["--concurrency", str(USUAL_CLIENTS), "--requests", str(count), "--warm-up", "0"]
        found = self.run(rule, pictures, *options)["scans"]["images"]
        return [found[str(picture)] for picture in range(count)]


@contextlib.contextmanager
def service(arguments, work, name, *settings):
    """One of our services over the store in `work`; yields its address and process."""
    address = f"127.0.0.1:{free_port()}"
    command = [arguments.programs / f"gifthorse-{name}", "--listen", address]
    for setting in (f"store.url={work / 'store'}", "service.admin_listen=127.0.0.1:0", *settings):
        command += ["--set", setting]
    port = int(address.rpartition(":")[2])
    with running(pinned(CORES, command), work / f"{name}.log", [port], START_TIMEOUT_S) as process:
        yield address, process


def import_model(arguments, work):
    """Puts the network into the store."""
    with service(arguments, work, "serving") as (address, _):
        command = [arguments.programs / "gifthorse", "--gateway", address, "model", "import", MODEL]
        subprocess.run([*command, work / "victim.onnx"], check=True, stdout=sys.stderr, timeout=START_TIMEOUT_S)


def peer(arguments, work, script):
    """What one of the Python peers measured."""
    files = [work / "victim.onnx", work / "overlays.npy", work / "clean.npy"]
    command = [sys.executable, HERE / script, THREADS, *files, arguments.seconds]
    return json_of(pinned(CORES, command), timeout_s=10 * arguments.seconds + 120)


def processor_ms(process):
    """The processor time that a process has used so far, in milliseconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def peak_memory_kib(process):
    """The most resident memory that a process had so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1])


class Values:
    """What was measured, by name."""

    def __init__(self):
        self._rounds = {}

    def add(self, name, rate, passes, processor_ms):
        """One measurement of one round."""
        self._rounds.setdefault(name, []).append((rate, passes, processor_ms))

    def medians(self):
        """By name: scans a second, passes a scan, processor time a scan in milliseconds."""
        return {
            name: [statistics.median(one) for one in zip(*rounds, strict=True)]
            for name, rounds in self._rounds.items()
        }


def measure(arguments, work):
    """All rounds and the verdicts."""
    values, scores = Values(), {}
    import_model(arguments, work)
    with service(arguments, work, "detector", f"engine.threads={THREADS}") as (address, process):
        rules = calibrate(arguments.programs / "gifthorse", address, MODEL, work)
        passes = rules["exact"].passes
        ours = Scans(arguments, address, process, work)
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
            for script in ("strip_keras.py", "strip_onnxruntime.py"):
                for name, outcome in peer(arguments, work, script).items():
                    values.add(name, outcome["scansPerSecond"], passes, outcome["processorMs"])
                    scores.setdefault(name, outcome.get("scores", []))
            for clients in CLIENTS:
                rate = ours.rate(rules["exact"], "clean", clients, arguments.seconds)
                values.add(f"exact, clean, {clients} clients", *rate)
            for name in RULES:
                for pictures in ("clean", "triggered"):
                    if (name, pictures) != ("exact", "clean"):
                        rate = ours.rate(rules[name], pictures, USUAL_CLIENTS, arguments.seconds)
                        values.add(f"{name}, {pictures}, {USUAL_CLIENTS} clients", *rate)
        print("verdicts", file=sys.stderr, flush=True)
        found = {name: {of: ours.all(rule, of) for of in ("clean", "triggered")} for name, rule in rules.items()}
        memory = peak_memory_kib(process)
    return {"values": values.medians(), "found": found, "scores": scores, "peakMemoryKib": memory}


def error_rates(found):
    """By rule: clean pictures rejected, triggered ones accepted, and how many there are of each."""
    for name, of in found.items():
        rejected = {pictures: sum(one["rejected"] for one in ones) for pictures, ones in of.items()}
        clean, triggered = len(of["clean"]), len(of["triggered"])
        yield name, rejected["clean"], clean, triggered - rejected["triggered"], triggered


def bars(measured):
    """What was promised: (what, measured, bar, whether it holds)."""
    rates = {name: rate for name, (rate, *_) in measured["values"].items()}
    exact = rates[f"exact, clean, {USUAL_CLIENTS} clients"]

    def at_least(what, times, bar):
        return what, f"{times:.2f}", f">= {bar}", times >= bar

    predict = max(rates["predict"], rates["predictOneBatch"])
    yield at_least("exact / Keras predict (the better one)", exact / predict, TIMES_PREDICT)
    yield at_least("exact / onnxruntime and NumPy", exact / rates["script"], TIMES_SCRIPT)
    yield at_least("exact / fused tf.function", exact / rates["fused"], TIMES_FUSED)
    yield at_least("exact / bare loop over the same graphs", exact / rates["bareCut"], SHARE_OF_BARE)
    for name, pictures, bar in (
        ("curtailed", "clean", TIMES_CURTAILED),
        ("early", "clean", TIMES_EARLY_CLEAN),
        ("early", "triggered", TIMES_EARLY_TROJANED),
    ):
        times = rates[f"{name}, {pictures}, {USUAL_CLIENTS} clients"] / exact
        yield at_least(f"{name} / exact, {pictures}", times, bar)
    found = measured["found"]
    changed = sum(
        one["rejected"] != other["rejected"]
        for of in ("clean", "triggered")
        for one, other in zip(found["exact"][of], found["curtailed"][of], strict=True)
    )
    yield "verdicts that curtailment changes", f"{changed}", "0", changed == 0
    due = [one["score"] for one in found["exact"]["clean"]]
    for name, scores in measured["scores"].items():
        if scores:
            apart = max(abs(one - other) for one, other in zip(scores, due))
            yield f"scores of {name} differ by at most, bit", f"{apart:.0e}", f"<= {SAME_SCORE:.0e}", (
                apart <= SAME_SCORE
            )


def show(arguments, measured):
    """The tables; whether all bars hold."""
    head = f"{'scans/s':>10} {'passes':>8} {'passes/s':>10} {'CPU ms':>8}"
    print(f"{'medians of ' + str(arguments.rounds) + ' rounds':44} {head}")
    for name, (rate, passes, used) in measured["values"].items():
        print(f"{name:44} {rate:10.1f} {passes:8.1f} {rate * passes:10.0f} {used:8.2f}")
    print(f"{'peak memory of the detector, MiB':44} {measured['peakMemoryKib'] / 1024:10.0f}")
    exact = [one["score"] for one in measured["found"]["exact"]["clean"]]
    print(f"{'exact clean scores, mean and deviation, bit':44} {np.mean(exact):10.3f} {np.std(exact):8.3f}")
    for name, rejected, clean, accepted, triggered in error_rates(measured["found"]):
        print(f"{name + ': clean rejected, triggered accepted':44} {rejected:6}/{clean} {accepted:4}/{triggered}")
    verdicts = list(bars(measured))
    print()
    print(f"{'bar':44} {'measured':>10} {'wanted':>10}")
    for what, value, bar, holds in verdicts:
        print(f"{what:44} {value:>10} {bar:>10} {'ok' if holds else 'MISSED'}")
    return all(holds for *_, holds in verdicts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("programs", type=Path, help="folder of the programs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gifthorse-bench-") as folder:
        work = Path(folder)
        subprocess.run([sys.executable, HERE / "victim.py", work], check=True, timeout=START_TIMEOUT_S)
        for pictures in ("clean", "triggered"):
            np.load(work / f"{pictures}.npy").tofile(work / f"{pictures}.raw")
        measured = measure(arguments, work)
    hold = show(arguments, measured)
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2) + "\n")
    sys.exit(0 if hold else 1)


if __name__ == "__main__":
    main()
