#!/usr/bin/env bash
# Runs a sweep inside user-mode Linux, where the kernel has TLS:
#   sweep-lab.sh SCENARIO|FILE
# The folder of results comes out to hdbench-out/NAME-TIME, also what there is of
# one that was interrupted; the report is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
scenario=${1:?usage: sweep-lab.sh SCENARIO|FILE}
derper=${DERPER:-1.102.5}
scripts/setup.sh >&2
scripts/lab-kernels.sh uml >&2

# Static: the guest has no C library.
version=$(git describe --always --dirty 2>/dev/null || echo unknown)
export CGO_ENABLED=0
go build -ldflags "-X main.buildVersion=$version" -o bin/static/hdbench ./cmd/hdbench
(cd "baseline/$derper" && go build -o "$OLDPWD/bin/static/derper-$derper" tailscale.com/cmd/derper)
go build -o bin/static/ ./internal/lab/cmd/lab ./internal/lab/guest

files=(--file "bin/static/derper-$derper:/lab/bin/derper-$derper")
name=$scenario
if [[ -f $scenario ]]; then
  name=$(sed -n 's/^name: *//p' "$scenario" | head -n 1)
  files+=(--file "$scenario:/lab/scenario.yaml")
  scenario=/lab/scenario.yaml
fi
[[ $name =~ ^[A-Za-z0-9_.+]+$ ]] || { echo "sweep-lab: $1: no scenario's name in it" >&2; exit 2; }
folder=$name-$(date +%Y%m%d-%H%M%S)
mkdir -p hdbench-out
shared=$(mktemp -d "hdbench-out/.lab-XXXXXX") # all of the host that the guest sees
out() {
  if [[ -d $shared/$folder ]]; then
    mv "$shared/$folder" hdbench-out/
    echo "sweep-lab: results in hdbench-out/$folder; its report again: bin/hdbench report hdbench-out/$folder" >&2
  fi
  rm -rf "$shared"
}
trap out EXIT
bin/static/lab --machine uml --guest bin/static/guest --out "$shared" --timeout "${LAB_TIMEOUT:-30m}" --mem 2048 \
  "${files[@]}" -- bin/static/hdbench sweep "$scenario" --out "/out/$folder"
