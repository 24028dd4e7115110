#!/usr/bin/env bash
# Makes a base image of Debian 12 without a registry of images, out of Debian's packages alone: needs root, debootstrap
# and buildah.
#
#   debian.sh NAME
#
# BUILDER_OPTIONS are more options of buildah itself.
set -euo pipefail

name=${1:?usage: debian.sh NAME}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
read -ra builder_options <<<"${BUILDER_OPTIONS:-}"

debootstrap --variant=minbase bookworm "$folder/debian" >&2
# As the slim images of the registries: no manuals, no translations, no caches.
rm -rf "$folder"/debian/usr/share/{doc,info,locale,man}/* "$folder"/debian/var/cache/apt/* \
  "$folder"/debian/var/lib/apt/lists/* "$folder"/debian/var/log/*
rm -rf "$folder"/debian/dev/*
tar -C "$folder/debian" -cf "$folder/debian.tar" .
rm -rf "$folder/debian"
printf 'FROM scratch\nADD debian.tar /\nCMD ["/bin/bash"]\n' >"$folder/Dockerfile"
buildah "${builder_options[@]}" build --isolation chroot --tag "$name" "$folder"
