#!/usr/bin/env bash
# Runs the lab's tests of packages inside a machine of the lab:
#   lab.sh MACHINE PACKAGE... [TEST FLAG...]
#   lab.sh uml ./internal/lab
#   lab.sh qemu ./relay -run TestKernel -v
# PACKAGE is a folder with tests behind the build tag "lab", of this module or of
# another one of the tree. Flags are those of a test binary without "test.".
# Stops at the first package that fails, with its exit code.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
usage() { echo "usage: lab.sh uml|qemu PACKAGE... [-run REGEXP | -v | ...]" >&2; exit 2; }

(($# >= 2)) || usage
machine=$1
shift
packages=() flags=()
while (($#)) && [[ $1 != -* ]]; do packages+=("$1"); shift; done
for flag in "$@"; do
  [[ $flag == -* && $flag != -test.* ]] && flag=-test.${flag#-}
  flags+=("$flag")
done
((${#packages[@]})) || usage

if [[ -z ${LAB_READY:-} ]]; then # lab-test.sh has done all this once
  setup=()
  [[ $machine != qemu ]] || setup=(qemu-system-x86_64)
  "$root/scripts/setup.sh" "${setup[@]}"
  "$root/scripts/lab-kernels.sh" "$machine" >&2
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$root" && CGO_ENABLED=0 go build -o "$tmp/" ./internal/lab/cmd/lab ./internal/lab/guest)

for package in "${packages[@]}"; do
  dir=$(cd "$package" && pwd)
  # In the folder, so that a package of another module is built in its own.
  (cd "$dir" && CGO_ENABLED=0 go test -c -tags lab -o "$tmp/lab.test" .)
  [[ -f $tmp/lab.test ]] || { echo "lab: $package has no tests" >&2; exit 1; }
  # As go test does: in the package's folder, with its test data there.
  in=/src/${dir#"$root"/}
  files=()
  [[ ! -d $dir/testdata ]] || files=(--file "$dir/testdata:$in/testdata")
  echo "lab: $machine: $package"
  "$tmp/lab" --machine "$machine" --guest "$tmp/guest" --timeout "${LAB_TIMEOUT:-15m}" \
    --dir "$in" "${files[@]}" -- "$tmp/lab.test" -test.timeout "${LAB_TIMEOUT:-15m}" "${flags[@]}"
  rm "$tmp/lab.test"
done
