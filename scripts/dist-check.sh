#!/usr/bin/env bash
# make dist-check: after make dist of these GOARCHs, is what it made whole, static, and
# the same when it is made elsewhere; and does make install put the same there?
set -euo pipefail
cd "$(dirname "$0")/.."
archs=("$@")
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT
version=$(git describe --always --dirty)
die() { echo "dist-check: $*" >&2; exit 1; }

(cd dist && sha256sum --quiet --strict -c SHA256SUMS)
for archive in dist/*.tar.gz; do
  arch=${archive##*-} arch=${arch%.tar.gz}
  tar -C "$tmp" -xzf "$archive"
  dir=$tmp/$(basename "$archive" .tar.gz)
  for f in README.md LICENSE CHANGELOG.md docs/METHOD.md share/man/man1/hdbench-sweep.1 \
    share/bash-completion/completions/hdbench share/zsh/site-functions/_hdbench share/fish/vendor_completions.d/hdbench.fish; do
    [[ -s $dir/$f ]] || die "$archive lacks $f"
  done
  [[ $(go version -m "$dir/hdbench") == *GOARCH=$arch* ]] || die "hdbench of $archive is not for $arch"
  if readelf -lW "$dir/hdbench" | grep -E 'INTERP|DYNAMIC'; then die "hdbench of $archive is not static"; fi
  if readelf -SW "$dir/hdbench" | grep -E '\.symtab|\.debug'; then die "hdbench of $archive is not stripped"; fi
  [[ $arch != "$(go env GOHOSTARCH)" || $("$dir/hdbench" version) == *$version* ]] || die "hdbench of $archive has another version"
done

# Elsewhere, by somebody with other habits, from what is committed.
if [[ -z $(git status --porcelain) ]]; then
  git clone -q . "$tmp/elsewhere"
  (umask 077 && cd "$tmp/elsewhere" && TZ=Asia/Tokyo scripts/dist.sh "${archs[@]}" >/dev/null)
  diff dist/SHA256SUMS "$tmp/elsewhere/dist/SHA256SUMS" || die "the same commit gave other bytes elsewhere"
  same="the same bytes elsewhere"
else
  same="not compared with a clone: something here is not committed"
fi

make --no-print-directory install DESTDIR="$tmp/root" PREFIX=/usr >/dev/null
"$tmp/root/usr/bin/hdbench" version >/dev/null
diff -r "$dir/share" "$tmp/root/usr/share" || die "make install has other pages or completions"
echo "dist-check: whole, static, stripped; $same; make install too"
