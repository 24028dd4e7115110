"""Checks the Helm chart without a cluster; chart.sh says what for, and brings the tools."""

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import configuration
import findings
import networks
import objects
import refusals
from rendering import CASES, CHART, Failure, Helm, Refused


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helm", required=True)
    parser.add_argument("--programs", help="folder of the built services")
    arguments = parser.parse_args()
    helm, count = Helm(arguments.helm), 0

    def say(check, *given):
        nonlocal count
        began = time.monotonic()
        print(f"{check(*given)} ({time.monotonic() - began:.1f} s)", flush=True)
        count += 1

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as beside:
        rendered = Path(folder) / "rendered"
        rendered.mkdir()
        for case, files in CASES.items():
            (rendered / f"{case}.yaml").write_text(helm.text(files))
        # The slow ones run beside the rest.
        scans = [beside.submit(scan, rendered) for scan in (findings.checkov, findings.trivy)]
        cases = {case: helm.objects(files) for case, files in CASES.items()}
        say(refusals.lint, helm, CASES)
        say(objects.valid, cases)
        say(objects.typos_are_seen, cases)
        say(objects.references, cases)
        say(networks.flows, cases)
        say(refusals.schema_is_closed, json.loads((CHART / "values.schema.json").read_text()))
        say(refusals.refused, helm)
        say(refusals.notes, helm, CASES)
        say(refusals.secrets, helm)
        say(configuration.parsed, cases)
        if arguments.programs:
            programs = configuration.Programs(arguments.programs)
            say(configuration.known, cases, programs)
            say(configuration.schema_is_complete, helm, programs)
        elif os.environ.get("GIFTHORSE_REQUIRE_ALL"):
            raise Failure("no folder of programs was given: whether services know their configuration is not checked")
        else:
            print("SKIPPED: whether the services know their configuration: give the folder of built programs")
        for scan in scans:
            say(scan.result)
    print(f"chart: {count} checks passed")


if __name__ == "__main__":
    try:
        main()
    except (Failure, Refused) as failure:
        sys.exit(f"FAILED: {failure}")
