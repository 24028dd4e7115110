#!/usr/bin/env bash
# Lays out the context of packed.Dockerfile: for each image what it has beside its base.
#
#   pack.sh PROGRAMS CONTEXT
#
# PROGRAMS is the folder of built programs. ORT_DYLIB_PATH names the ONNX Runtime library and LIBTORCH the folder of
# libtorch, as everywhere.
set -euo pipefail

programs=${1:?usage: pack.sh PROGRAMS CONTEXT}
context=${2:?usage: pack.sh PROGRAMS CONTEXT}
runtime=${ORT_DYLIB_PATH:?the ONNX Runtime library}
torch=${LIBTORCH:?the folder of libtorch}

program() { # IMAGE PROGRAM
  install -D "$programs/$2" "$context/$1/opt/gifthorse/bin/$2"
  strip "$context/$1/opt/gifthorse/bin/$2"
}

rm -rf "$context"
for service in gateway trainer serving detector worker; do program "$service" "gifthorse-$service"; done
program cli gifthorse
for service in serving detector worker; do
  install -D -m 644 "$runtime" "$context/$service/opt/gifthorse/lib/libonnxruntime.so"
done
install -d "$context/worker/opt/libtorch/lib"
install -m 644 "$torch"/lib/*.so* "$context/worker/opt/libtorch/lib/"
