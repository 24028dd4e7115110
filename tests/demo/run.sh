#!/usr/bin/env bash
# The main job, end to end: on the course's networks and faces where they are, else on a BadNet that the lab makes.
#
#   run.sh [--drawn]
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${GIFTHORSE_TEST_DATA:-../shared/data}/csaw
programs=$(realpath "${CARGO_TARGET_DIR:-target}")/debug

if [ "${1:-}" != --drawn ] && [ -d "$data/weights" ]; then
  exec tests/demo/course.sh "$data" "$programs"
fi
[ -d "$data/weights" ] || echo "the course's networks are not at $data (GIFTHORSE_TEST_DATA): the lab makes one"
exec tests/demo/drawn.sh "$programs"
