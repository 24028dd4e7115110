#!/bin/sh
# Makes a Python environment under .tools and prints the path of its interpreter.
#
#   python_environment.sh NAME REQUIREMENTS
#
# It is made once for each content of the requirements file.
set -eu

name=${1:?usage: python_environment.sh NAME REQUIREMENTS}
requirements=${2:?usage: python_environment.sh NAME REQUIREMENTS}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=$root/.tools/$name
mark=$folder/made-$(cksum < "$requirements" | cut -d ' ' -f 1)

if [ ! -e "$mark" ]; then
    echo "fetching Python packages of $requirements" >&2
    python3 -m venv --clear "$folder" >&2
    "$folder/bin/python" -m pip --disable-pip-version-check --quiet install -r "$requirements" >&2
    touch "$mark"
fi
echo "$folder/bin/python"
