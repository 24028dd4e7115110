#!/bin/sh
# `make conformance`: foreign clients and foreign networks against the running services.
#
# The Python packages go into .tools. PyTorch, some 530 MB, is optional: without it (no network, no room, or
# GIFTHORSE_WITHOUT_TORCH=1) its networks are skipped, loudly.
#
# GIFTHORSE_REQUIRE_ALL=1, as in CI, makes every skip a failure.
set -eu

skip() {
    echo "SKIPPED: $1"
    [ -z "${GIFTHORSE_REQUIRE_ALL:-}" ]
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
programs=${CARGO_TARGET_DIR:-target}/debug
python=$(tests/python_environment.sh conformance tests/conformance/requirements.txt)

torch=.tools/torch
if [ -n "${GIFTHORSE_WITHOUT_TORCH:-}" ]; then
    skip "networks of PyTorch (GIFTHORSE_WITHOUT_TORCH is set)"
elif tests/conformance/torch_environment.sh "$torch"; then
    set -- --torch "$torch/bin/python" "$@"
else
    skip "networks of PyTorch (its environment cannot be made, see above)"
fi

if keras=$(tests/python_environment.sh keras tests/conformance/requirements-keras.txt); then
    cargo build --quiet --workspace --bins --tests --examples
    "$keras" tests/conformance/keras_zoo.py "$programs/examples/keras_to_onnx" .tools/keras-zoo
    set -- --keras "$keras" "$@"
else
    skip "Keras (its environment cannot be made, see above)"
fi

if onnxruntime=$(tests/python_environment.sh onnxruntime tests/conformance/requirements-onnxruntime.txt); then
    set -- --onnxruntime "$onnxruntime" "$@"
else
    skip "a guarded file in plain onnxruntime (its environment cannot be made, see above)"
fi

if mlserver=$(tests/python_environment.sh bench tests/bench/requirements.txt); then
    set -- --mlserver "$mlserver" "$@"
else
    skip "a linked MLServer (its environment cannot be made, see above)"
fi
exec "$python" tests/conformance/house.py "$programs" "$@"
