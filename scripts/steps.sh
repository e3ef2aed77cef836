# Sourced by test.sh and test-long.sh: named steps, one after the other or in lanes
# beside each other. The first that fails ends all.
#
#   step NAME COMMAND...   runs a command, prints its time
#   lanes FUNCTION...      runs functions of steps side by side; the output of a step
#                          is then printed in one piece, when the step has ended
#   passed WHAT            the last lines: what go test said, each step's time

set -euo pipefail
set -m # every lane is a process group, to be ended as a whole
state=$(mktemp -d)
lane_pids=()
in_lane=

end_lanes() {
  local pid
  for pid in "${lane_pids[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  lane_pids=()
}
trap 'end_lanes; rm -rf "$state"' EXIT
trap 'exit 130' INT TERM

step() {
  local name=$1 start=$SECONDS code=0 log
  shift
  log=$(mktemp "$state/log-XXXXXX")
  if [[ -z $in_lane ]]; then
    echo "=== $name"
    "$@" 2>&1 | tee "$log" || code=$?
  else
    echo "... $name"
    "$@" >"$log" 2>&1 </dev/null || code=$?
  fi
  (
    flock 9
    [[ -z $in_lane ]] || { echo "=== $name"; cat "$log"; }
    if ((code)); then
      echo "--- $name: FAILED after $((SECONDS - start)) s (exit code $code)"
    else
      echo "--- $name: ok, $((SECONDS - start)) s"
      echo "$name: $((SECONDS - start)) s" >>"$state/passed"
      grep -E '^ok  ' "$log" >>"$state/gotest" || true
    fi
  ) 9>"$state/lock"
  ((code == 0)) || exit 1
}

lanes() {
  local lane code=0 n=$#
  for lane in "$@"; do
    (
      trap - EXIT INT TERM
      set +m
      in_lane=$lane
      "$lane"
    ) &
    lane_pids+=($!)
  done
  for ((; n > 0; n--)); do
    wait -n || code=$?
    ((code == 0)) || exit 1 # which ends the others
  done
  lane_pids=()
}

passed() {
  local steps
  steps=$(sed 's/: [0-9]* s$//' "$state/passed" | paste -sd, | sed 's/,/, /g')
  echo
  if [[ -s $state/gotest ]]; then
    echo "What go test said:"
    cat "$state/gotest"
    echo
  fi
  echo "What took how long:"
  sed 's/^/  /' "$state/passed"
  echo "$1: passed in $SECONDS s: $steps"
}
