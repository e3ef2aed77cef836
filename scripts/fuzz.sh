#!/usr/bin/env bash
# Runs every fuzz target of every package:
#   fuzz.sh 5s              so long each
#   fuzz.sh 20000x          so many inputs each, as the tests do
#   fuzz.sh --total 30m     so long all together; goes on after one that fails
set -euo pipefail
cd "$(dirname "$0")/.."
usage() { echo "usage: fuzz.sh DURATION | INPUTSx | --total HOURSh|MINUTESm|SECONDSs" >&2; exit 2; }

mapfile -t found < <(grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' cmd internal loadgen relay results scenarios |
  sed -E 's#^(.*)/[^/]*:[0-9]+:func #\1 #' | sort)
((${#found[@]})) || { echo "fuzz: no targets found" >&2; exit 1; }

time=${1:-}
total=
if [[ $time == --total ]]; then
  [[ ${2:-} =~ ^([0-9]+)([hms])$ ]] || usage
  declare -A unit=([h]=3600 [m]=60 [s]=1)
  total=$((BASH_REMATCH[1] * unit[${BASH_REMATCH[2]}]))
  seconds=$((total / ${#found[@]}))
  time=$((seconds > 0 ? seconds : 1))s
fi
[[ $time =~ ^[0-9.]+(x|h|m|s|ms)$ ]] || usage

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$PWD cache=$(go env GOCACHE)/fuzz
failed=() built=
for line in "${found[@]}"; do
  read -r dir target <<<"$line"
  if [[ $dir != "$built" ]]; then # once for all targets of a package
    # A command holds all packages: for a few inputs it is not built anew to be guided.
    guided=(-fuzz .)
    [[ $dir != cmd/* || $time != *x ]] || guided=()
    go test -c "${guided[@]}" -o "$tmp/fuzz.test" "./$dir"
    built=$dir
  fi
  each=$time
  # An input of a command is a whole report: it counts as twenty.
  [[ $dir != cmd/* || $time != *x ]] || each=$(((${time%x} + 19) / 20))x
  echo "fuzz: $dir $target $each"
  if (cd "$dir" && exec "$tmp/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$each" \
    -test.fuzzcachedir "$cache/hdbench/$dir") >"$tmp/log" 2>&1; then
    tail -n 1 "$tmp/log"
  elif [[ $time != *x ]] && grep -q 'context deadline exceeded' "$tmp/log" && ! grep -q 'Failing input written' "$tmp/log"; then
    # At the end of a time it now and then fails with nothing but this (golang/go
    # issue 75804, mended in 1.27): nothing was found.
    echo "fuzz: out of time"
  else
    cat "$tmp/log"
    [[ -n $total ]] || exit 1
    failed+=("$dir $target")
  fi
done
if ((${#failed[@]})); then
  printf 'fuzz: FAILED: %s\n' "${failed[@]}" >&2
  echo "fuzz: the inputs are in testdata/fuzz of each folder in $root" >&2
  exit 1
fi
echo "fuzz: ${#found[@]} targets"
