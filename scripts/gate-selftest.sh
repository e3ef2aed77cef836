#!/usr/bin/env bash
# Is the gate to be trusted on this machine? Sweeps of one build against itself
# must pass, and sweeps of a build whose relay takes 10 % longer for everything
# (go build -tags slowrelay) must fail, 19 of 20 times each. Every sweep is a small
# interleaved one with twelve pairs of valid trials.
#
# It wants a machine that has nothing else to do. ROUNDS=3 is a short look.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-20}
need=$(((rounds * 19 + 19) / 20)) # 19 of 20, rounded up
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

go build -tags slowrelay -ldflags '-X main.buildVersion=slowrelay' -o bin/hdbench-slow ./cmd/hdbench
load=$(cut -d' ' -f1 /proc/loadavg)
awk -v l="$load" 'BEGIN {exit l < 0.5}' && echo "gate-selftest: something else runs here (load average $load): trials that it disturbs are marked and made again" >&2

# gate NAME NEW: sweeps with NEW against bin/hdbench; sets code and change.
gate() {
  local out=$tmp/$1
  if ! "$2" sweep scripts/gate-selftest.yaml --interleave bin/hdbench --out "$out" >"$out.txt" 2>"$out.err"; then
    cat "$out.err" >&2
    exit 1
  fi
  code=0
  bin/hdbench compare "$out" >"$out.txt" 2>/dev/null || code=$?
  change=$(sed -n 's/.* CPU-s\/Gbit .* \([+-][0-9.]* %\) \(\[[^]]*\]\).*/\1 \2/p' "$out.txt")
  change=${change:-within its floor}
  trials=$(sed -n 's/^New .*, \([0-9]* trials*, [0-9]* valid\)\.$/\1/p' "$out.txt")
  rm -rf "$out"
}

printf '%5s  %-44s  %s\n' round 'the same build: exit, CPU-s/Gbit' '10 % slower: exit, CPU-s/Gbit'
start=$SECONDS passed=0 caught=0
for ((i = 1; i <= rounds; i++)); do
  gate "same-$i" bin/hdbench
  same="$code  $change" same_trials=$trials
  ((code != 0)) || passed=$((passed + 1))
  gate "slow-$i" bin/hdbench-slow
  ((code != 1)) || caught=$((caught + 1))
  printf '%5d  %-44s  %s\n' "$i" "$same ($same_trials)" "$code  $change ($trials)"
done
echo
echo "the same build: $passed of $rounds pass (want $need); 10 % slower: $caught of $rounds are caught (want $need); $((SECONDS - start)) s"
if ((passed >= need && caught >= need)); then
  echo "gate-selftest: ok"
else
  echo "gate-selftest: the gate is not to be trusted on this machine as it is" >&2
  exit 1
fi
