#!/usr/bin/env bash
# The numbers hdbench promises, in one run on this machine: the load generator
# beside iperf3, and hd beside derper over bursts and over transports.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh iperf3
rounds=${ROUNDS:-5}
(($(nproc) >= 2)) || { echo "bench: needs two CPUs" >&2; exit 1; }

median() { sort -g | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR+1)/2] : (v[NR/2] + v[NR/2+1]) / 2}'; }

# Sender on CPU 0, receiver on CPU 1, both tools in turn.
echo "THE CLIENT BESIDE IPERF3 (sender on CPU 0, receiver on CPU 1, loopback, $rounds rounds in turn)"
iperf=() ours=() ratio=()
for ((i = 0; i < rounds; i++)); do
  port=$((20000 + RANDOM % 20000))
  taskset -c 1 iperf3 -s -1 -p "$port" >/dev/null &
  server=$!
  sleep 0.3
  a=$(taskset -c 0 iperf3 -c 127.0.0.1 -p "$port" -t 2 -f m -J | awk '/"sum_received"/{f=1} f && /bits_per_second/{gsub(/[^0-9.e+]/, "", $2); print $2; exit}')
  wait "$server" || true
  b=$(bin/hdbench calibrate --cpus 0-1 --measure 2s --format json | grep -o '"delivered_bps":[0-9.e+]*' | cut -d: -f2)
  iperf+=("$a") ours+=("$b")
  ratio+=("$(awk -v a="$a" -v b="$b" 'BEGIN {print b / a}')")
  awk -v a="$a" -v b="$b" -v n="$((i + 1))" 'BEGIN {printf "round %d: iperf3 %.0f Mbps, hdbench calibrate %.0f Mbps, %.2f×\n", n, a/1e6, b/1e6, b/a}'
done
printf 'median: iperf3 %.0f Mbps, hdbench calibrate %.0f Mbps with every payload checked, ratio %.2f× (promised: 0.5×)\n\n' \
  "$(printf '%s\n' "${iperf[@]}" | median | awk '{print $1 / 1e6}')" \
  "$(printf '%s\n' "${ours[@]}" | median | awk '{print $1 / 1e6}')" \
  "$(printf '%s\n' "${ratio[@]}" | median)"

echo "HD BESIDE DERPER (relay on one CPU, client on the other)"
bin/hdbench sweep bursts

echo
echo "WHAT TLS COSTS (relay on one CPU, client on the other)"
bin/hdbench sweep transports
