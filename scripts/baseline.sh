#!/usr/bin/env bash
# Builds a pinned version of Tailscale's derper, the TS baseline: baseline.sh 1.102.5
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: baseline.sh VERSION}
if [[ ! -d baseline/$version ]]; then
  echo "baseline: no derper $version is pinned here; there are: $(cd baseline && echo *)" >&2
  exit 2
fi
out=$PWD/bin/derper-$version
mkdir -p bin
(cd "baseline/$version" && go build -o "$out" tailscale.com/cmd/derper)
echo "baseline: $out"
