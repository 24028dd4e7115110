#!/bin/sh
# `make bench`: the engine beside a bare loop (criterion), serving over gRPC beside its peers, then detection
# beside its peers, then repairs beside theirs.
#
# Everything is built with the release profile; PROFILE=dev measures what is built already. The Python packages
# (MLServer, onnxruntime; tensorflow-cpu and PyTorch, which the conformance scripts use too) go into .tools. Takes about
# fifteen minutes after the build; arguments are passed on to peers.py and detection.py (`--rounds 1`, `--seconds 2`), and
# SOAK=0 leaves the soak out. Fails when either misses a bar.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
profile=${PROFILE:-release}
folder=$profile
[ "$profile" = dev ] && folder=debug
programs=${CARGO_TARGET_DIR:-target}/$folder

cargo build --profile "$profile" -p gifthorse -p gifthorse-serving -p gifthorse-detector -p gifthorse-tests --bins
cargo bench --profile "$profile" -p gifthorse-engine

python=$("$root/tests/python_environment.sh" bench "$root/tests/bench/requirements.txt")
keras=$("$root/tests/python_environment.sh" keras "$root/tests/conformance/requirements-keras.txt")
torch=$root/.tools/torch
"$root/tests/conformance/torch_environment.sh" "$torch"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missed=0
"$python" tests/bench/deepid.py "$work/deepid.onnx"
"$python" tests/bench/peers.py "$programs" "$work/deepid.onnx" --soak "${SOAK:-200000}" "$@" || missed=1
"$keras" tests/bench/detection.py "$programs" "$@" || missed=1
"$python" tests/bench/repair.py "$torch/bin/python" "$keras" "$@" || missed=1
exit "$missed"
