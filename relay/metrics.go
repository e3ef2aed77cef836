package relay

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// snapshotTimeout bounds the wait for workers when counters are asked for.
const snapshotTimeout = 5 * time.Second

// MetricsHandler serves the counters: /metrics as Prometheus text, /snapshot as
// the JSON of a Snapshot.
func (s *Server) MetricsHandler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collector{s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /snapshot", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), snapshotTimeout)
		defer cancel()
		snap, err := s.Snapshot(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(snap) // the reader has gone if this fails
	})
	return mux
}

// collector turns Snapshots into Prometheus metrics.
type collector struct{ s *Server }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hdbench_relay_"+name, help, labels, nil)
}

var (
	descInfo     = desc("info", "What this relay is; always 1.", "transport", "on_full", "workers")
	descLogins   = desc("connections_total", "TCP connections by how their login went.", "result")
	descReceived = desc("received_packets_total", "Packets taken from peers.", "worker")
	descRecvB    = desc("received_bytes_total", "Data bytes of packets taken from peers.", "worker")
	descForward  = desc("forwarded_packets_total", "Packets written to peers' sockets.", "worker")
	descForwardB = desc("forwarded_bytes_total", "Data bytes of packets written to peers' sockets.", "worker")
	descDropped  = desc("dropped_packets_total", "Packets dropped, by reason.", "worker", "reason")
	descDroppedB = desc("dropped_bytes_total", "Data bytes of packets dropped, by reason.", "worker", "reason")
	descQueued   = desc("queued_packets", "Packets waiting in send queues.", "worker")
	descPeers    = desc("peers", "Connections registered.", "worker")

	// Single counters, in the order collectWorker gives them.
	descWorker = []*prometheus.Desc{
		desc("handed_over_packets_total", "Packets given to other workers.", "worker"),
		desc("taken_over_packets_total", "Packets got from other workers.", "worker"),
		desc("protocol_errors_total", "Peers disconnected for what they sent.", "worker"),
		desc("pings_total", "Pings answered or lost.", "worker"),
		desc("pongs_lost_total", "Pongs dropped because the peer pings without reading.", "worker"),
		desc("keep_alives_total", "KeepAlive frames sent.", "worker"),
		desc("peer_gones_total", "PeerGone frames sent.", "worker"),
		desc("unknown_frames_total", "Frames of no known type, skipped.", "worker"),
		desc("decrypt_errors_total", "Peers disconnected for a TLS record that does not authenticate or is none.", "worker"),
		desc("tls_alerts_total", "Peers disconnected for a fatal TLS alert of theirs.", "worker"),
		desc("key_updates_total", "Peers disconnected for a TLS KeyUpdate that the kernel cannot follow, or for too many.", "worker"),
		desc("unexpected_records_total", "Peers disconnected for a TLS record that has no place after the handshake.", "worker"),
		desc("record_timeouts_total", "Peers disconnected for a TLS record that was begun and not ended.", "worker"),
		desc("tls_records_in_total", "TLS data records opened in user space.", "worker"),
		desc("tls_records_out_total", "TLS data records sealed in user space.", "worker"),
		desc("tls_bytes_in_total", "Bytes that TLS records received carried.", "worker"),
		desc("tls_bytes_out_total", "Bytes that TLS records sent carry.", "worker"),
		desc("tls_keys_changed_total", "TLS KeyUpdates of peers that were followed.", "worker"),
		desc("recv_calls_total", "System calls that read data.", "worker"),
		desc("send_calls_total", "System calls that wrote data.", "worker"),
		desc("waits_total", "Times the worker slept for want of work.", "worker"),
		desc("moderated_waits_total", "Times the worker slept to let work gather.", "worker"),
		desc("cross_wakes_total", "Times the worker woke another.", "worker"),
		desc("source_pauses_total", "Times a source was paused because a queue was full.", "worker"),
		desc("slow_receivers_total", "Times a receiver kept its sources paused for so long that it was given up waiting for.", "worker"),
	}
)

// Describe lists the metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descInfo, descLogins, descReceived, descRecvB, descForward, descForwardB, descDropped, descDroppedB, descQueued, descPeers} {
		ch <- d
	}
	for _, d := range descWorker {
		ch <- d
	}
}

// Collect takes one Snapshot; a relay that has stopped has no metrics.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	snap, err := c.s.Snapshot(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descInfo, err)
		return
	}
	cfg := c.s.cfg
	ch <- prometheus.MustNewConstMetric(descInfo, prometheus.GaugeValue, 1, string(cfg.Transport), string(cfg.OnFull), strconv.Itoa(cfg.Workers))
	for result, n := range map[string]uint64{
		"accepted": snap.Logins.Accepted, "failed": snap.Logins.Failed, "refused": snap.Logins.Refused, "evicted": snap.Logins.Evicted,
		"timed_out": snap.Logins.TimedOut, "other": snap.Logins.Other, "no_tls": snap.Logins.NoTLS,
	} {
		ch <- prometheus.MustNewConstMetric(descLogins, prometheus.CounterValue, float64(n), result)
	}
	for _, w := range snap.PerWorker {
		collectWorker(ch, w)
	}
}

func collectWorker(ch chan<- prometheus.Metric, w WorkerSnapshot) {
	id := strconv.Itoa(w.Worker)
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{id}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, id)
	}
	counter(descReceived, w.ReceivedPackets)
	counter(descRecvB, w.ReceivedBytes)
	counter(descForward, w.ForwardedPackets)
	counter(descForwardB, w.ForwardedBytes)
	for reason, n := range w.DroppedPackets {
		counter(descDropped, n, reason)
	}
	for reason, n := range w.DroppedBytes {
		counter(descDroppedB, n, reason)
	}
	gauge(descQueued, float64(w.QueuedPackets))
	gauge(descPeers, float64(w.Peers))
	for i, v := range []uint64{
		w.HandedOver, w.TakenOver, w.ProtocolErrors, w.Pings, w.PongsLost, w.KeepAlives, w.PeerGones,
		w.UnknownFrames, w.DecryptErrors, w.TLSAlerts, w.KeyUpdates, w.UnexpectedRecords, w.RecordTimeouts,
		w.Records.In, w.Records.Out, w.Records.InBytes, w.Records.OutBytes, w.Records.KeyUpdates, w.Recvs, w.Sends, w.Waits, w.Moderated, w.CrossWakes, w.Pauses, w.SlowReceivers,
	} {
		counter(descWorker[i], v)
	}
}
