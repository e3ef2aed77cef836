#!/usr/bin/env bash
# One night: sweep, compare with the last good night, report, trend.
# docs/NIGHTLY.md says how to have it run every night.
#
#   HISTORY   folder of all nights; default hdbench-out/history
#   SCENARIO  what to run; default nightly
#   HDBENCH   the binary; default bin/hdbench
#   SUMMARY   file to append a Markdown summary to; default none
#
# Exit codes are those of compare: 0 no regression, 1 regression (or the sweep
# failed), 2 bad input, 4 too few or invalid trials to say. Where the last good
# night is not comparable (3: another kernel, CPU, scenario or derper), a new
# history begins with this one, which is said, and the exit code is 0.
set -euo pipefail
cd "$(dirname "$0")/.."
history=${HISTORY:-hdbench-out/history}
scenario=${SCENARIO:-nightly}
hdbench=${HDBENCH:-bin/hdbench}
summary=${SUMMARY:-/dev/null}

mkdir -p "$history"
exec 9>"$history/.lock"
flock -n 9 || { echo "nightly: another night is running in $history" >&2; exit 2; }

name=$(basename "$scenario" .yaml)
night=$name-$(date -u +%Y%m%d-%H%M%S)
dir=$history/$night
good=$history/$name.good # a link to the last night that was no regression

"$hdbench" sweep "$scenario" --out "$dir" >/dev/null

code=0
if [[ -e $good ]]; then
  "$hdbench" compare "$history/$(readlink "$good")" "$dir" --format markdown --output "$dir/compare.md" || code=$?
else
  echo "The first night of this history: there is nothing to compare with." >"$dir/compare.md"
fi
if ((code == 3)); then
  echo "nightly: not comparable with the last good night: a new history begins with $night" | tee -a "$dir/compare.md" >&2
  code=0
fi
((code != 0)) || ln -sfn "$night" "$good"

"$hdbench" report "$dir" --output "$dir/report.txt"
"$hdbench" trend "$history/$name"-*/ --format html --output "$history/$name.html"
"$hdbench" trend "$history/$name"-*/ --format markdown --output "$dir/trend.md"
{
  printf '# %s\n\n' "$night"
  cat "$dir/compare.md"
  printf '\n'
  cat "$dir/trend.md"
} >>"$summary"
cat "$dir/compare.md"
exit "$code"
