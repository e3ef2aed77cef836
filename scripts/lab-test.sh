#!/usr/bin/env bash
# make lab: what the machines promise, then every line of lab-packages.txt inside
# them. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh qemu-system-x86_64 xz
scripts/lab-kernels.sh uml qemu
export LAB_READY=1

echo "lab: the machines themselves"
go test -tags labhost -timeout 30m -count=1 ./internal/lab
lines=0
set -f # flags are words, not patterns of files
while read -r machine package flags; do
  [[ -n $machine && $machine != \#* ]] || continue
  # shellcheck disable=SC2086
  scripts/lab.sh "$machine" "$package" $flags </dev/null
  lines=$((lines + 1))
done <scripts/lab-packages.txt
((lines > 0)) || { echo "lab: scripts/lab-packages.txt names nothing to run" >&2; exit 1; }
echo "lab: ok, $lines packages inside, $SECONDS s"
