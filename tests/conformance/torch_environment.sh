#!/bin/sh
# Makes a Python environment in which torch runs on the CPU, without the gigabytes of its GPU packages.
#
#   torch_environment.sh FOLDER
#
# The torch wheel for x86-64 Linux is a GPU build (about 530 MB to fetch, 1.1 GB on disk) that names some
# fifteen GPU libraries it links. Only one of them, the CUDA runtime (2 MB), is called without a GPU; the
# others have to exist under their names, so each becomes an empty library. Their functions are then missing,
# which the loader accepts as long as it binds lazily: a program sets
# `sys.setdlopenflags(os.RTLD_LAZY)` before it imports torch.
#
# Needs python3 with venv, gcc and ldd. A finished environment is kept as it is.
set -eu

TORCH=2.13.0
CUDA_RUNTIME=13.0.96

folder=${1:?usage: torch_environment.sh FOLDER}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mark="$folder/complete-torch-$TORCH"
[ -e "$mark" ] && exit 0

python3 -m venv --clear "$folder"
pip() {
    "$folder/bin/python" -m pip --disable-pip-version-check --quiet "$@"
}
pip install -r "$here/requirements-torch.txt"
pip install --no-deps "torch==$TORCH"

libraries=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/torch/lib
if ldd "$libraries"/*.so 2>/dev/null | grep -q 'libcudart.* not found'; then
    pip install --no-deps "nvidia-cuda-runtime==$CUDA_RUNTIME"
fi
# libcuda is the driver itself; torch opens it only where there is one.
ldd "$libraries"/*.so 2>/dev/null | awk '/not found/ && $1 !~ /^libcuda\.so/ { print $1 }' | sort -u |
    while read -r library; do
        gcc -shared -o "$libraries/$library" -Wl,-soname,"$library" -x c /dev/null
    done

"$folder/bin/python" -c 'import os, sys; sys.setdlopenflags(os.RTLD_LAZY); import torch; torch.ones(2) @ torch.ones(2)'
touch "$mark"
