#!/usr/bin/env bash
# The manual pages and completions of a binary, laid out as under a PREFIX's share/:
# shell-files.sh BINARY SHARE
set -euo pipefail
binary=${1:?usage: shell-files.sh BINARY SHARE} share=${2:?usage: shell-files.sh BINARY SHARE}
# Pages carry the month of the commit, not of the day they are made on.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$(dirname "$0")/.." log -1 --format=%ct)} TZ=UTC
umask 022
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
"$binary" man "$share/man/man1"
"$binary" completion bash >"$share/bash-completion/completions/hdbench"
"$binary" completion zsh >"$share/zsh/site-functions/_hdbench"
"$binary" completion fish >"$share/fish/vendor_completions.d/hdbench.fish"
