#!/bin/sh
# `make bench`: the engine beside a bare loop (criterion), then serving over gRPC beside its peers.
#
# Everything is built with the release profile; PROFILE=dev measures what is built already. The Python
# packages (MLServer, onnxruntime) go into .tools. Takes about three minutes after the build; arguments are
# passed on to peers.py (`--rounds 1`, `--soak 0`).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
profile=${PROFILE:-release}
programs=target/$profile
[ "$profile" = dev ] && programs=target/debug

cargo build --profile "$profile" -p gifthorse -p gifthorse-serving -p gifthorse-tests --bins
cargo bench --profile "$profile" -p gifthorse-engine

python=$("$root/tests/python_environment.sh" bench "$root/tests/bench/requirements.txt")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" tests/bench/deepid.py "$work/deepid.onnx"
"$python" tests/bench/peers.py "$programs" "$work/deepid.onnx" --soak 200000 "$@"
