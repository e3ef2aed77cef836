#!/usr/bin/env bash
# Fetches the lab's kernels from Debian's packages into a cache outside of the
# tree: lab-kernels.sh [uml|qemu...]. Nothing is installed. What is there and
# whole is left alone; what is damaged or half there is made again.
set -euo pipefail
cd "$(dirname "$0")/.."
shim=$PWD/internal/lab/umlshim/umlshim.c # what user-mode Linux is run with
cache=${HDBENCH_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hdbench/lab}
series=${LAB_KERNEL_SERIES:-6.12} # of the qemu machine

fail() { echo "lab-kernels: $*" >&2; exit 1; }

# whole MACHINE: is the kernel there, and every byte as it was written?
whole() {
  [[ -f $cache/$1/SHA256SUMS ]] || return 1
  [[ $1 != uml ]] || cmp --quiet "$shim" "$cache/uml/umlshim.c" || return 1
  (cd "$cache/$1" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null 2>&1
}

# package MACHINE: the newest package that has its kernel.
package() {
  case $1 in
  uml) apt-cache pkgnames user-mode-linux | grep -x user-mode-linux ;;
  qemu) apt-cache pkgnames "linux-image-$series." | grep -E -- "^linux-image-$series\.[0-9]+(\+[a-z0-9]+)?-cloud-amd64-unsigned$" ;;
  esac | sort -V | tail -n 1
}

# fetch MACHINE: downloads, unpacks, keeps the kernel and the modules that
# kernel TLS may need, and only then puts the folder where it is looked for.
fetch() {
  local machine=$1 name version modules
  for cmd in apt-get apt-cache dpkg-deb xz sha256sum gcc; do
    command -v "$cmd" >/dev/null || fail "$cmd is missing: the kernels come from Debian's packages (on Debian or Ubuntu: apt-get install xz-utils coreutils gcc libc6-dev)"
  done
  name=$(package "$machine")
  [[ -n $name ]] || fail "apt knows no package with a kernel for $machine (see LAB_KERNEL_SERIES=$series; is the package list fresh: apt-get update?)"
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/.fetch-XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  mkdir "$tmp/deb" "$tmp/root" "$tmp/new" "$tmp/new/modules"
  # apt checks the file against the hash in the archive's signed index.
  (cd "$tmp/deb" && apt-get download -qq -o APT::Sandbox::User=root "$name") || fail "apt-get download $name failed"
  version=$(dpkg-deb -f "$tmp"/deb/*.deb Version)
  dpkg-deb -x "$tmp"/deb/*.deb "$tmp/root"
  case $machine in
  uml)
    cp "$tmp/root/usr/bin/linux.uml" "$tmp/new/kernel"
    modules=$(echo "$tmp"/root/usr/lib/uml/modules/*)
    cp "$shim" "$tmp/new/umlshim.c"
    gcc -O2 -Wall -Wextra -shared -fPIC -o "$tmp/new/umlshim.so" "$shim"
    ;;
  qemu)
    cp "$tmp"/root/boot/vmlinuz-* "$tmp/new/kernel"
    modules=$(echo "$tmp"/root/{usr/,}lib/modules/* | tr ' ' '\n' | grep -v '\*')
    ;;
  esac
  [[ -d $modules/kernel/net/tls ]] || fail "$name $version has no kernel TLS module under $modules"
  for dir in crypto lib arch net/tls; do # user-mode Linux has no arch
    [[ ! -d $modules/kernel/$dir ]] || find "$modules/kernel/$dir" -name '*.ko*' -exec cp -t "$tmp/new/modules" {} +
  done
  find "$tmp/new/modules" -name '*.ko.xz' -exec xz -d {} +
  cp "$modules/modules.builtin" "$tmp/new/"
  echo "$name $version" >"$tmp/new/PACKAGE"
  (cd "$tmp/new" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >../sums && mv ../sums SHA256SUMS)
  rm -rf "${cache:?}/$machine"
  mv "$tmp/new" "$cache/$machine"
  rm -rf "$tmp"
  trap - EXIT
  whole "$machine" || fail "$cache/$machine is damaged right after it was written"
}

machines=("$@")
((${#machines[@]})) || machines=(uml qemu)
missing=()
for machine in "${machines[@]}"; do
  [[ $machine == uml || $machine == qemu ]] || fail "no machine $machine: there are uml and qemu"
  if [[ -n ${REFRESH:-} ]] || ! whole "$machine"; then missing+=("$machine"); fi
done
if ((${#missing[@]})); then
  [[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] || fail "the kernels are Debian's amd64 packages; this is $(uname -m) without them"
  if [[ $(id -u) == 0 ]]; then
    apt-get update -qq || fail "apt-get update failed"
  fi
  for machine in "${missing[@]}"; do fetch "$machine"; done
fi
for machine in "${machines[@]}"; do
  echo "lab-kernels: $machine: $(cat "$cache/$machine/PACKAGE") in $cache/$machine"
done
