"""Processor time and memory that an answer and a scan cost, for the sizes in docs/kubernetes.md.

    capacity.py PROGRAMS

PROGRAMS is the folder of the built programs. The network is the DeepID of deepid.py, the pictures are noise: what is
measured is arithmetic, which does not depend on them, but for rules that stop early. Processor time is told, since it
depends less than rates on what else the machine does; it still depends on the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
from house import house  # noqa: E402

PICTURES, SECONDS, CLIENTS = 400, 8, 8


def processor_ms(folder):
    """The processor time that a process has used so far, in milliseconds."""
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    programs = parser.parse_args().programs
    with tempfile.TemporaryDirectory(prefix="gifthorse-capacity-") as folder, house(programs, Path(folder)) as running:
        work = Path(folder)
        gateway = running.addresses["gateway"]

        def gifthorse(*words):
            command = [programs / "gifthorse", "--gateway", gateway, *map(str, words), "--json"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            return [json.loads(line) for line in done.stdout.splitlines()]

        subprocess.run([sys.executable, HERE / "deepid.py", work / "deepid.onnx"], check=True)
        empty = running.peaks()
        gifthorse("model", "import", "deepid", work / "deepid.onnx")
        chance = np.random.default_rng(1)
        with h5py.File(work / "clean.h5", "w") as file:
            file["data"] = chance.integers(0, 256, (PICTURES, 3, 55, 47), np.uint8)
            file["label"] = chance.integers(0, 40, PICTURES)
        reply = gifthorse("calibrate", "deepid", "--clean", work / "clean.h5", "--no-policy", "--alpha", "0.05")[0]
        calibration = reply.get("calibration", reply)["name"]
        prepared = chance.random((64, 55, 47, 3), np.float32)
        (work / "pictures.raw").write_bytes(prepared.tobytes())

        def load(name, *words):
            process = running.process(name)
            command = [programs / "gifthorse-load", running.addresses[name], *words, "--concurrency", CLIENTS]
            before = processor_ms(process)
            done = subprocess.run(
                [*map(str, command), "--seconds", str(SECONDS), "--warm-up", "0"], check=True, stdout=subprocess.PIPE
            )  # fmt: skip
            found = json.loads(done.stdout)
            if found["errors"]:
                raise SystemExit(f"{name}: {found['errors']}")
            return (processor_ms(process) - before) / found["requests"], found

        answer, _ = load("serving", "deepid", "--shape", "1,55,47,3")
        batched, _ = load("serving", "deepid", "--rows", 32)
        scan = ("--scan", "--input", work / "pictures.raw", "--shape", "55,47,3", "--alpha", "0.05")
        fused, found = load("detector", calibration, *scan)
        exact, strip = load("detector", calibration, *scan, "--detector", "strip_entropy", "--exact")
        early, stopped = load("detector", calibration, *scan, "--detector", "strip_entropy")
        print(f"an answer: {answer:.2f} ms of processor time alone, {batched / 32:.2f} ms in requests of 32 rows")
        rows = (("the default policy", fused, found), ("STRIP, exact", exact, strip), ("STRIP, early", early, stopped))
        for what, spent, outcome in rows:
            print(f"a scan by {what}: {spent:.1f} ms, {outcome['scans']['passesPerScan']:.0f} passes")
        for name, peak in running.peaks().items():
            print(f"{name}: {peak} MiB at most, {empty.get(name, 0)} before there was a model")


if __name__ == "__main__":
    main()
