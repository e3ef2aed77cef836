#!/usr/bin/env bash
# Runs every fuzz target for a time each: fuzz.sh 5s
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:?usage: fuzz.sh DURATION}
found=0
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz' || true); do
    echo "fuzz: $pkg $target $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg" | tail -n 1
    found=$((found + 1))
  done
done
((found > 0)) || { echo "fuzz: no targets found" >&2; exit 1; }
echo "fuzz: $found targets"
