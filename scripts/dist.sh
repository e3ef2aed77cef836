#!/usr/bin/env bash
# make dist: archives to hand out, in dist/: static and stripped, with the docs, manual
# pages and completions, and a list of their checksums. The same commit and Go give the
# same bytes, whatever the folder, the user and the day.
# Arguments: the GOARCHs.
set -euo pipefail
(($#)) || { echo "usage: dist.sh GOARCH..." >&2; exit 2; }
cd "$(dirname "$0")/.."
version=$(git describe --always --dirty)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH CGO_ENABLED=0 LC_ALL=C TZ=UTC
umask 022

out=$PWD/dist
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

mkdir "$stage/dist"
build() { # GOARCH FILE
  GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.buildVersion=$version" -o "$2" ./cmd/hdbench
}

# What this machine can run writes the pages and completions of all.
host=$(go env GOHOSTARCH)
build "$host" "$stage/hdbench"
scripts/shell-files.sh "$stage/hdbench" "$stage/share"

for arch in "$@"; do
  name=hdbench-$version-linux-$arch
  mkdir "$stage/$name"
  if [[ $arch == "$host" ]]; then
    cp "$stage/hdbench" "$stage/$name/hdbench"
  else
    build "$arch" "$stage/$name/hdbench"
  fi
  cp -r "$stage/share" README.md CHANGELOG.md LICENSE docs "$stage/$name/"
  tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' \
    --format=ustar -cf - "$name" | gzip -n -9 >"$stage/dist/$name.tar.gz"
done
(cd "$stage/dist" && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
rm -rf "$out" # only now: what fails leaves the archives that were there
cp -r "$stage/dist" "$out"
