#!/usr/bin/env bash
# Runs the smoke sweep for real and checks what it left: both relays measured,
# every packet accounted for, nothing running.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
out=$tmp/smoke
export HDBENCH_LOCK=smoke-$$ # another sweep on this machine is no matter here

fail() { echo "smoke: $*" >&2; exit 1; }

start=$SECONDS
bin/hdbench sweep smoke --full --profile --out "$out" >"$tmp/report.txt"
echo "smoke: took $((SECONDS - start)) s"

for want in 'hd tcp 1 worker' 'hd tls 1 worker' 'derper .* tcp GOMAXPROCS=1' 'derper .* tls GOMAXPROCS=1' 'CEILINGS' 'TLS cost' 'COMPARISON TO TS'; do
  grep -q "$want" "$tmp/report.txt" || fail "the report lacks: $want"
done

# measured FILE: the records of trials that were made. A load that a busy machine left
# without CPU refuses, its record says so, and the trial is made again.
starved='did not run inside the measuring window|the start time has passed by'
measured() { grep '"kind":"trial"' "$1" | grep -v '"error":' || true; }
trials=$(measured "$out/trials.jsonl" | wc -l)
((trials == 16)) || fail "$trials trials, want 16"
! grep '"error":' "$out/trials.jsonl" | grep -vE "$starved" || fail "a trial failed"
for bad in '"code":"accounting"' '"code":"corrupt"'; do
  ! grep -q "$bad" "$out/trials.jsonl" || fail "a record has $bad"
done
bin/hdbench report "$out" --format json >"$tmp/report.json"
grep -q '"not_measurable": 0' "$tmp/report.json" || fail "a trial could not be made here"

# Where the CPU time goes, of all four: 95 % and more in a named category.
profiles=$(grep '"kind":"profile"' "$out/trials.jsonl" | grep -cv '"error":')
((profiles == 4)) || fail "$profiles profiles, want 4"
awk '/^in a named category/ {n = NF - 5; for (i = 6; i <= NF; i++) if ($i < 95) exit 1} END {exit n == 4 ? 0 : 1}' "$tmp/report.txt" ||
  fail "less than 95 % of the samples are in a named category: $(grep '^in a named category' "$tmp/report.txt")"
for want in 'TCP/IP +kernel' 'user relay +user' 'user crypto +user' 'Go garbage collector +user'; do
  grep -qE "$want" "$tmp/report.txt" || fail "the breakdown lacks: $want"
done
for p in "$out"/profiles/*.pb.gz; do
  go tool pprof -top -nodecount=5 "$p" >"$tmp/pprof.txt" 2>&1 || fail "go tool pprof does not open $p: $(cat "$tmp/pprof.txt")"
done
go run golang.org/x/perf/cmd/benchstat -col /relay -row /transport,/offered "$out/bench.txt" >"$tmp/benchstat.txt"
grep -q 'delivered-Mbit/s' "$tmp/benchstat.txt" || fail "benchstat does not read bench.txt"

# Killed half-way, it goes on where it was.
bin/hdbench sweep smoke --out "$tmp/killed" >/dev/null 2>"$tmp/killed.txt" &
pid=$!
for ((i = 0; i < 6000; i++)); do
  [[ -f $tmp/killed/trials.jsonl ]] && (($(wc -l <"$tmp/killed/trials.jsonl") >= 8)) && break
  sleep 0.02
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
for ((i = 0; i < 6000; i++)); do
  left=$(pgrep -f "^$PWD/bin/(hdbench|derper)" | while read -r p; do
    [[ $(awk '/^State:/{print $2}' "/proc/$p/status" 2>/dev/null) == Z ]] || echo "$p"
  done || true)
  [[ -z $left ]] && break
  sleep 0.02
done
[[ -z $left ]] || fail "processes are left after SIGKILL: $left"
before=$(measured "$tmp/killed/trials.jsonl" | wc -l)
bin/hdbench sweep --resume "$tmp/killed" >/dev/null 2>"$tmp/resumed.txt"
grep -q "^trials: $((16 - before))\$" "$tmp/resumed.txt" || fail "resuming after $before trials: $(cat "$tmp/resumed.txt")"
ids=$(measured "$tmp/killed/trials.jsonl" | grep -o '"id":"[^"]*"' | sort | uniq -d)
[[ -z $ids ]] || fail "repeated after resuming: $ids"
echo "smoke: ok ($before of 16 trials before it was killed, the rest after)"
