#!/usr/bin/env bash
# make test-long: what takes minutes, and is not in make test: fuzzing, kernels with
# kernel TLS, hosts that fail, several hosts, every benchmark once, the examples of
# deployment. Stops at the first step that fails.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/steps.sh
. scripts/steps.sh

step setup scripts/setup.sh qemu-system-x86_64 xz ip sshd ssh tcsh fish systemd-analyze
step build make --no-print-directory build baseline
step kernels scripts/lab-kernels.sh

# Hosts that wait for each other; beside them, what computes, and gives way.
hosts() {
  step "hosts of the lab" make --no-print-directory hosts
  step "fault matrix" make --no-print-directory faults
  step "derper 1.96.4" make --no-print-directory baseline DERPER=1.96.4
  step "examples of deployment" bash -c 'cd deploy && go test -count=1 ./...'
  step "two hosts" scripts/two-hosts.sh
}
computing() {
  step fuzz nice -n 10 scripts/fuzz.sh "${FUZZTIME:-20000x}"
  step "benchmarks, once" nice -n 10 go test -timeout 30m -run '^$' -bench . -benchtime 1x ./...
  step lab nice -n 10 make --no-print-directory lab
}
lanes hosts computing
passed "make test-long"
