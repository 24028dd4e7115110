#!/usr/bin/env bash
# House rules that no linter knows. Prints each breach and fails if there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."
breaches=0
breach() { echo "$1" >&2; breaches=1; }

# One idea a file.
while read -r lines file; do
  [ "$lines" -le 500 ] || breach "$file has $lines lines: split it, 500 is the most"
done < <(git ls-files -z '*.rs' | xargs -0 wc -l | awk '$2 != "total" { print $1, $2 }')

# A main reads like a table of contents.
while read -r lines file; do
  [ "$lines" -le 200 ] || breach "$file has $lines lines: a main has 200 at most, the rest belongs into its library"
done < <(git ls-files -z 'services/**/main.rs' | xargs -0 wc -l | awk '$2 != "total" { print $1, $2 }')

# Log messages: lower case first, no full stop.
if git grep -nE '(trace|debug|info|warn|error)!\([^"]*"([A-Z][a-z]|[^"]*\.")' -- 'services/**/*.rs' ':!services/cli'; then
  breach "log messages start in lower case and have no full stop (see above)"
fi

# Nothing unfinished.
if git grep -nE '\b(todo|unimplemented|dbg)!\(' -- '*.rs'; then breach "unfinished code (see above)"; fi

# No large files: models and data sets live elsewhere.
while read -r size file; do
  [ "$size" -le 300000 ] || [ "$file" = Cargo.lock ] || breach "$file has $size bytes: binaries and data stay out"
done < <(git ls-files -z | xargs -0 stat -c '%s %n')

# The rooms: who may know whom (docs/architecture.md).
for room in api attack dataset defence engine network report store quarantine training; do
  if grep -qE '^gifthorse-(gateway|serving|detector|trainer|worker|lab|service) ' "services/libs/$room/Cargo.toml"; then
    breach "services/libs/$room depends on a service or on the service room"
  fi
done
# Networks are data and defences are mathematics: neither knows a runtime, nor each other.
for room in network defence; do
  if grep -qE '^(ort|gifthorse-(engine|network|defence|store|dataset)) ' "services/libs/$room/Cargo.toml"; then
    breach "services/libs/$room depends on a runtime or on another room than api"
  fi
done
# libtorch is linked by the worker and the lab alone.
if git grep -lE '^(tch|gifthorse-training) ' -- '*/Cargo.toml' | grep -vE '^services/(worker|lab|libs/training)/'; then
  breach "only the worker and the lab may link libtorch (see above)"
fi
if grep -qE '^(ort|gifthorse-(defence|store|dataset)) ' services/libs/training/Cargo.toml; then
  breach "services/libs/training knows another runtime or another room than api and network"
fi
for service in gateway serving detector trainer worker lab; do
  if grep -qE '^gifthorse-(gateway|serving|detector|trainer|worker|lab) ' "services/$service/Cargo.toml"; then
    breach "services/$service depends on another service: services talk protobuf"
  fi
done
exit "$breaches"
