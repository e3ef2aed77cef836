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
rm -rf "$out"
mkdir "$out"

build() { # GOARCH FILE
  GOOS=linux GOARCH=$1 go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.buildVersion=$version" -o "$2" ./cmd/hdbench
}

# What this machine can run writes the pages and completions of all.
build "$(go env GOHOSTARCH)" "$stage/hdbench"
scripts/shell-files.sh "$stage/hdbench" "$stage/share"

for arch in "$@"; do
  name=hdbench-$version-linux-$arch
  mkdir "$stage/$name"
  build "$arch" "$stage/$name/hdbench"
  cp -r "$stage/share" README.md CHANGELOG.md LICENSE docs "$stage/$name/"
  tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' \
    --format=ustar -cf - "$name" | gzip -n -9 >"$out/$name.tar.gz"
done
(cd "$out" && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
