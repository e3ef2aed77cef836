#!/usr/bin/env bash
# Is every packet accounted for? Runs hd with 2 workers at twice what it carries,
# under each policy for full send queues, and then compares
#   received = forwarded + dropped by reason + queued   (the relay's counters)
#   sent = received, forwarded = arrived                (the load's beside them)
# Exits 1 on any difference.
#
# PACKETS=1e8 packets in all, a third for each policy; MINUTES=60 at most, also in
# all; PAIRS=10 pairs.
set -euo pipefail
cd "$(dirname "$0")/.."
packets=$(awk -v n="${PACKETS:-1e8}" 'BEGIN {printf "%.0f", n / 3}')
seconds=$((${MINUTES:-60} * 20)) # for each policy
pairs=${PAIRS:-10}
tmp=$(mktemp -d)
relay=

stop() {
  if [[ $relay ]]; then
    kill "$relay" 2>/dev/null || true
    wait "$relay" || true
    relay=
  fi
}
trap 'stop; rm -rf "$tmp"' EXIT
fail() { echo "soak-accounting: $*" >&2; exit 1; }

# field NAME: the value of a field of the JSON on stdin.
field() { sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'; }

# counters: the relay's, all workers together, as "name value" lines.
counters() {
  exec 3<>"/dev/tcp/${metrics%:*}/${metrics##*:}"
  printf 'GET /metrics HTTP/1.0\r\nHost: relay\r\n\r\n' >&3
  awk '
    function value() { return $NF + 0 }
    /^hdbench_relay_received_packets_total/ { n["received"] += value() }
    /^hdbench_relay_forwarded_packets_total/ { n["forwarded"] += value() }
    /^hdbench_relay_queued_packets/ { n["queued"] += value() }
    /^hdbench_relay_handed_over_packets_total/ { n["queued"] += value() }
    /^hdbench_relay_taken_over_packets_total/ { n["queued"] -= value() }
    /^hdbench_relay_dropped_packets_total/ {
      match($0, /reason="[a-z_]*"/)
      reason = substr($0, RSTART + 8, RLENGTH - 9)
      n["dropped " reason] += value(); n["dropped"] += value()
    }
    END { for (k in n) printf "%s %.0f\n", k, n[k] }' <&3 | tr -d '\r' | sort
  exec 3>&-
}

# count NAME: one of the counters in the file.
count() { awk -v k="$1" '{n = $NF; sub(/ [0-9-]+$/, ""); if ($0 == k) print n}' "$tmp/counters"; }

# quiet: waits until the counters stand still, and leaves them in the file.
quiet() {
  local i
  for ((i = 0; i < 100; i++)); do
    counters >"$tmp/now"
    if cmp -s "$tmp/now" "$tmp/counters"; then return; fi
    mv "$tmp/now" "$tmp/counters"
    sleep 0.2
  done
  fail "the relay's counters do not come to rest"
}

# load RATE SECONDS: adds to sent and arrived; leaves the result in the file.
load() {
  bin/hdbench load --relay "$addr" --pairs "$pairs" --rate "$1" --warmup 0s --measure "${2}s" --drain 30s --format json >"$tmp/load"
  sent=$((sent + $(field frames_sent <"$tmp/load")))
  arrived=$((arrived + $(field frames_received <"$tmp/load")))
}

bad=0
for policy in pause drop-head drop-tail; do
  rm -f "$tmp/ready" "$tmp/counters"
  bin/hdbench relay --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --workers 2 --on-full "$policy" >"$tmp/ready" &
  relay=$!
  for ((i = 0; i < 100; i++)); do
    [[ -s $tmp/ready ]] && break
    sleep 0.1
  done
  addr=$(field addr <"$tmp/ready") metrics=$(field metrics <"$tmp/ready")
  [[ $addr && $metrics ]] || fail "the relay does not start"
  sent=0 arrived=0

  load max 2
  rate=$(field delivered_bps <"$tmp/load" | awk '{printf "%.0f", 2 * $1 + 1}')
  start=$SECONDS
  touch "$tmp/counters"
  quiet
  while (($(count received) < packets)); do
    left=$((seconds - (SECONDS - start)))
    if ((left <= 0)); then
      echo "soak-accounting: $policy: $(count received) of $packets packets in the time there is" >&2
      break
    fi
    # As long as what is missing takes at the ceiling, 30 s at most.
    want=$(awk -v n=$((packets - $(count received))) -v r="$rate" 'BEGIN {s = int(n * 1400 * 8 / (r / 2)) + 1; print (s > 30 ? 30 : s)}')
    load "${rate}bps" "$((want < left ? want : left))"
    quiet
  done

  lost=$(($(count received) - $(count forwarded) - $(count dropped) - $(count queued)))
  echo "$policy, offered $((rate / 1000000)) Mbps, $((SECONDS - start)) s"
  awk '{n = $NF; sub(/ [0-9-]+$/, ""); if ($0 != "dropped" && ($0 !~ /^dropped/ || n > 0)) printf "  %-26s %14.0f\n", $0, n}' "$tmp/counters"
  printf '  %-26s %14d\n' difference "$lost" 'sent but not received' $((sent - $(count received))) 'forwarded, not arrived' $(($(count forwarded) - arrived))
  if ((lost != 0 || sent != $(count received) || $(count forwarded) != arrived)); then
    bad=1
  fi
  stop
done
((bad == 0)) || fail "not every packet is accounted for"
echo "every packet is accounted for"
