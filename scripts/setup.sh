#!/usr/bin/env bash
# Installs what building and testing hdbench need on a new machine: Debian
# packages where a command is missing (as root), and a Go that is new enough.
# Does nothing where all is there. Arguments: further commands that are needed.
set -euo pipefail
cd "$(dirname "$0")/.."

# package that has each command
declare -A package=([gcc]=gcc [git]=git [make]=make [iperf3]=iperf3 [awk]=gawk [qemu-system-x86_64]=qemu-system-x86 [xz]=xz-utils
  [chromium]=chromium [ip]=iproute2 [sshd]=openssh-server [ssh]=openssh-client
  [readelf]=binutils [openssl]=openssl [tcsh]=tcsh [fish]=fish [systemd-analyze]=systemd)

missing=()
for cmd in gcc git make awk openssl "$@"; do
  command -v "$cmd" >/dev/null || missing+=("${package[$cmd]}")
done
if ! echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; then
  missing+=(libc6-dev)
fi
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  if [[ $(id -u) != 0 ]]; then
    echo "setup: not root: please install ${missing[*]}" >&2
    exit 1
  fi
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! command -v go >/dev/null; then
  echo "setup: go is missing: see https://go.dev/doc/install; any Go from 1.21 fetches the version in go.mod by itself" >&2
  exit 1
fi
