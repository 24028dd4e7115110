#!/usr/bin/env bash
# Builds the images around built programs, on a base made of Debian's packages, and runs the whole house out of them:
# each as user 10001 with a read-only root, no capabilities and no shell in between. Needs root, buildah and debootstrap.
#
#   images.sh PROGRAMS [TABLE]
#
# TABLE is a file for the sizes. IMAGES_WORK is a folder for what is built; the base in it is used again.
set -euo pipefail
cd "$(dirname "$0")/../.."

programs=${1:?usage: images.sh PROGRAMS [TABLE]}
table=${2:-/dev/stdout}
for tool in buildah debootstrap; do
  command -v "$tool" >/dev/null || { echo "images are tested with $tool. Run: sudo apt-get install $tool"; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "images are tested as root: namespaces, mounts and users are made"; exit 1; }

work=${IMAGES_WORK:-$(mktemp -d)}
[ -n "${IMAGES_WORK:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
# Layers as plain folders, which need nothing of the kernel; a container's root is the machine's, chrooted.
export BUILDER=buildah BASE=localhost/gifthorse/debian:12
export BUILDER_OPTIONS="--root $work/storage --runroot $work/run --storage-driver vfs"
export BUILD_OPTIONS="--isolation chroot --network host --quiet"
read -ra options <<<"$BUILDER_OPTIONS"
buildah "${options[@]}" inspect "$BASE" >/dev/null 2>&1 || deploy/docker/debian.sh "$BASE"
PROGRAMS=$programs deploy/docker/images.sh localhost/gifthorse test
python3 tests/kubernetes/images.py "$table" "$work" "${options[@]}"
