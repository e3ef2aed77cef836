#!/usr/bin/env bash
# Runs every fuzz target for a time each, or so many inputs: fuzz.sh 5s, fuzz.sh 20000x.
# The tests count inputs: at the end of a time, go test -fuzz now and then fails
# with nothing but "context deadline exceeded" (golang/go issue 75804, mended in 1.27).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:?usage: fuzz.sh DURATION|INPUTSx}
found=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "fuzz: $pkg $target $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg" >"$log" 2>&1 || { cat "$log"; exit 1; }
    tail -n 1 "$log"
    found=$((found + 1))
  done
done
((found > 0)) || { echo "fuzz: no targets found" >&2; exit 1; }
echo "fuzz: $found targets"
