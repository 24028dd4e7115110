#!/usr/bin/env bash
# Builds the images with docker or buildah, whichever is there, and names them PREFIX/PROGRAM:TAG.
#
#   images.sh PREFIX TAG [TARGET...]
#
# From sources, or, where PROGRAMS names a folder of built programs, around those. BASE and BUILD_BASE name other base
# images, BUILDER docker or buildah, BUILDER_OPTIONS and BUILD_OPTIONS more options of buildah itself and of its build.
set -euo pipefail

prefix=${1:?usage: images.sh PREFIX TAG [TARGET...]}
tag=${2:?usage: images.sh PREFIX TAG [TARGET...]}
shift 2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

file=$here/Dockerfile
context=$root
targets=(gateway serving detector trainer worker cli)
if [ -n "${PROGRAMS:-}" ]; then
  file=$here/packed.Dockerfile
  context=$(mktemp -d)
  trap 'rm -rf "$context"' EXIT
  "$here/pack.sh" "$PROGRAMS" "$context/packed"
  context=$context/packed
else
  targets+=(serving-cuda detector-cuda worker-cuda)
fi
[ $# = 0 ] || targets=("$@")

builder=${BUILDER:-}
if [ -z "$builder" ]; then
  if command -v docker >/dev/null && docker info >/dev/null 2>&1; then builder=docker
  elif command -v buildah >/dev/null; then builder=buildah
  else
    echo "images are built with docker or buildah, and neither is there (docker: its daemon does not answer)" >&2
    exit 1
  fi
fi
read -ra builder_options <<<"${BUILDER_OPTIONS:-}"
read -ra build_options <<<"${BUILD_OPTIONS:-}"
case $builder in
  docker) build=(docker "${builder_options[@]}" build) ;;
  # Stages that images share are built once.
  buildah) build=(buildah "${builder_options[@]}" build --layers) ;;
  *) echo "BUILDER=$builder is neither docker nor buildah" >&2; exit 1 ;;
esac

arguments=(--build-arg "VERSION=$tag" --build-arg "REVISION=$(git -C "$root" rev-parse HEAD)")
[ -z "${BASE:-}" ] || arguments+=(--build-arg "BASE=$BASE")
[ -z "${BUILD_BASE:-}" ] || [ -n "${PROGRAMS:-}" ] || arguments+=(--build-arg "BUILD_BASE=$BUILD_BASE")
for target in "${targets[@]}"; do
  echo "building $prefix/$target:$tag"
  "${build[@]}" "${build_options[@]}" "${arguments[@]}" --file "$file" --target "$target" \
    --tag "$prefix/$target:$tag" "$context"
done
