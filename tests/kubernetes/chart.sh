#!/usr/bin/env bash
# Checks the chart and the image files without a cluster: what they render to is valid, strictly, for three versions of
# Kubernetes; a typo anywhere is seen; networks, rights and configuration are what they are meant to be.
#
#   chart.sh [PROGRAMS]
#
# PROGRAMS is the folder of built services, which say whether they know their configuration; without it that part is
# skipped, and where GIFTHORSE_REQUIRE_ALL is set that fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=$(tests/python_environment.sh kubernetes tests/kubernetes/requirements.txt)
tools=$(tests/kubernetes/tools.sh "$python")
files=(deploy/docker/*Dockerfile)
"$(dirname "$python")/hadolint" "${files[@]}"
echo "hadolint: nothing found in ${#files[@]} files"
exec "$python" tests/kubernetes/chart.py --helm "$tools/helm" ${1:+--programs "$1"}
