#!/usr/bin/env bash
# make test: lint, all tests of packages and commands, Tailscale's clients and server,
# the page in a browser, and a real sweep. Stops at the first step that fails.
# test-long.sh has the rest.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/steps.sh
. scripts/steps.sh

# The commands are real relays and loads under way: the race detector makes five
# minutes of one, and what it would find is in the packages. Results and measure are
# statistics without a goroutine: it makes two minutes of twelve seconds.
plain=(./cmd/... ./results/... ./internal/measure/...)

step setup scripts/setup.sh systemd-analyze chromium
step build make --no-print-directory build baseline
mapfile -t raced < <(comm -23 <(go list ./... | sort) <(go list "${plain[@]}" | sort))

# Commands and fleets wait more than they compute. The other lane computes.
packages() {
  step "commands and results" go test -timeout 30m -count=1 "${plain[@]}"
  step "report in a browser" make --no-print-directory browser
}
checks() {
  step "unit tests (race)" go test -race -timeout 30m -count=1 "${raced[@]}"
  step lint make --no-print-directory lint
  step interop make --no-print-directory interop
}
lanes packages checks
step "smoke sweep" make --no-print-directory smoke
passed "make test"
