#!/bin/sh
# Puts libtorch for the processor into a folder, out of the wheels of PyPI.
#
#   libtorch.sh PYTHON FOLDER
#
# PYTHON has pip; FOLDER gets include/, lib/ and build-version, some 425 MB. The wheel for x86-64 Linux is a
# GPU build (530 MB to fetch). Of it are kept the headers and the libraries that work without a GPU; the CUDA
# runtime and the profiler's CUPTI, which libtorch_cpu.so names, come from two small wheels. `libtorch.so` only
# gathers the others, and is made here without those for the GPU. On a machine with a GPU let LIBTORCH name the
# folder `torch` of an installed wheel instead.
#
# The version is the one that the crate `tch` is written for; `torch-sys` refuses any other. A finished folder
# is kept as it is.
set -eu

TORCH=2.13.0
CUDA_RUNTIME=13.0.96
CUPTI=13.0.85

python=${1:?usage: libtorch.sh PYTHON FOLDER}
folder=${2:?usage: libtorch.sh PYTHON FOLDER}
[ -e "$folder/build-version" ] && [ "$(cat "$folder/build-version")" = "$TORCH" ] && exit 0

echo "fetching libtorch $TORCH" >&2
rm -rf "$folder" "$folder.making"
mkdir -p "$folder.making/wheels" "$folder.making/lib"
trap 'rm -rf "$folder.making"' EXIT

"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$folder.making/wheels" \
    "torch==$TORCH" "nvidia-cuda-runtime==$CUDA_RUNTIME" "nvidia-cuda-cupti==$CUPTI"

# Only what is needed is unpacked.
"$python" - "$folder.making" <<'UNPACK'
import re
import shutil
import sys
import zipfile
from pathlib import Path

making = Path(sys.argv[1])
library = re.compile(
    r"torch/lib/(libtorch_cpu|libc10)\.so|torch/lib/libgomp[^/]*"
    r"|nvidia/.*/lib/(libcudart\.so\.13|libcupti\.so\.13)"
)
for wheel in sorted((making / "wheels").glob("*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith("torch/include/") and not member.endswith("/"):
                place = making / member.removeprefix("torch/")
            elif library.fullmatch(member):
                place = making / "lib" / Path(member).name
            else:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, place.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    wheel.unlink()
UNPACK

gcc -shared -o "$folder.making/lib/libtorch.so" -x c /dev/null \
    -Wl,--no-as-needed -L"$folder.making/lib" -ltorch_cpu -lc10 \
    -Wl,-rpath,\$ORIGIN -Wl,-soname,libtorch.so
rmdir "$folder.making/wheels"
echo "$TORCH" > "$folder.making/build-version"
mv "$folder.making" "$folder"
