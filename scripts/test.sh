#!/usr/bin/env bash
# Everything CI runs, each step named. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  local name=$1 start=$SECONDS
  shift
  echo "=== $name"
  "$@"
  echo "--- $name: ok, $((SECONDS - start)) s"
}

step setup scripts/setup.sh systemd-analyze
step lint make --no-print-directory lint
# The commands are real relays and loads under way: the race detector makes five
# minutes of one, and what it would find is in the packages. Results are statistics
# without a goroutine: it makes two minutes of twelve seconds.
plain=(./cmd/... ./results/...)
mapfile -t raced < <(comm -23 <(go list ./... | sort) <(go list "${plain[@]}" | sort))
step "unit tests (race)" go test -race -count=1 "${raced[@]}"
step "commands and results" go test -count=1 "${plain[@]}"
step "benchmarks, once" go test -run '^$' -bench . -benchtime 1x ./...
step fuzz scripts/fuzz.sh "${FUZZTIME:-20000x}"
step "derper 1.96.4" make --no-print-directory baseline DERPER=1.96.4
step interop make --no-print-directory interop
step "hosts of the lab" make --no-print-directory hosts
step "fault matrix" make --no-print-directory faults
step lab make --no-print-directory lab
step "report in a browser" make --no-print-directory browser
step "examples of deployment" bash -c 'cd deploy && go test -count=1 ./...'
step "two hosts" scripts/two-hosts.sh
step "smoke sweep" make --no-print-directory smoke
echo "all green in $SECONDS s"
