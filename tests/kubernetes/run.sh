#!/usr/bin/env bash
# Runs the trainer's tests on a real kube-apiserver, etcd and Job controller.
#
# Their programs are those in the folder GIFTHORSE_KUBERNETES, or those that build.sh in the folder
# GIFTHORSE_KUBERNETES_TOOLS makes: a script that prints the folder of etcd, kube-apiserver and
# kube-controller-manager as its last line, after some minutes where it must build them first.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=${GIFTHORSE_KUBERNETES_TOOLS:-../shared/tools/kubernetes}
if [ -z "${GIFTHORSE_KUBERNETES:-}" ]; then
  if [ ! -r "$tools/build.sh" ]; then
    echo "SKIPPED: the tests on Kubernetes need a cluster's programs: set GIFTHORSE_KUBERNETES to their folder, or" \
      "GIFTHORSE_KUBERNETES_TOOLS to that of a build.sh; there is none in $tools" >&2
    exit 0
  fi
  echo "finding or building kube-apiserver, kube-controller-manager and etcd"
  GIFTHORSE_KUBERNETES=$(bash "$tools/build.sh" | tail -n 1)
fi
for program in etcd kube-apiserver kube-controller-manager; do
  if [ ! -x "$GIFTHORSE_KUBERNETES/$program" ]; then
    echo "GIFTHORSE_KUBERNETES=$GIFTHORSE_KUBERNETES has no $program" >&2
    exit 1
  fi
done
export GIFTHORSE_KUBERNETES
# One cluster at a time: each takes a processor to itself while it starts.
exec cargo nextest run --workspace -E 'binary(kubernetes)' --test-threads 1 "$@"
