"""The rules by which the detector ends a scan, each with a calibration of the same pictures."""

import json
import subprocess
from dataclasses import dataclass

CALIBRATE_TIMEOUT_S = 600
ALPHA = "0.01"
# Name: settings of the calibration, options of the scan. Exact and curtailed share a calibration that is looked at
# after the last pass only; early rejection spends its budget by pass 32; `early to 100` has the default looks.
RULES = {
    "exact": (("--looks", "100"), ("--exact",)),
    "curtailed": (("--looks", "100"), ()),
    "early": (("--passes", "32", "--looks", "4,8,16,32"), ()),
    "early to 100": ((), ()),
}


@dataclass
class Rule:
    """A calibration and the options of scans under it."""

    calibration: str
    options: list
    passes: int


def calibrate(program, address, model, work):
    """Stores the pictures and makes the calibrations; the rules by name."""

    def run(*arguments):
        command = [program, "--gateway", address, *map(str, arguments), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CALIBRATE_TIMEOUT_S)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    for name in ("overlays", "clean"):
        run("dataset", "add", name, work / f"{name}.h5")
    rules = {}
    for name, (settings, options) in RULES.items():
        made = run(
            "calibrate", model, "--clean", "datasets/clean", "--overlay-data", "datasets/overlays",
            "--detector", "strip_entropy", "--no-policy", *settings,
        )
        made = made.get("calibration", made)
        passes = made["detectors"][0]["settings"]["passes"]
        rules[name] = Rule(made["name"], ["--alpha", ALPHA, *options], passes)
    return rules
