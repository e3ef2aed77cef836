#!/usr/bin/env bash
# Sweeps over several hosts, for real: hosts in network namespaces of this machine,
# a real sshd in each, a real nats-server, a control and a data network. As root.
#   two-hosts.sh         what CI runs, with a small scenario
#   two-hosts.sh quick   also a whole scenario over ssh, its report on stdout
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh ip sshd ssh tcsh fish
[[ -x bin/derper-1.102.5 ]] || scripts/baseline.sh 1.102.5
export TWO_HOSTS_SCENARIO=${1:-}
verbose=()
[[ -z $TWO_HOSTS_SCENARIO ]] || verbose=(-v)
go test -tags labhost -count=1 -timeout 20m "${verbose[@]}" ./internal/lab/twohosts
echo "two-hosts: ok, $SECONDS s"
