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
	descDropped  = desc("dropped_packets_total", "Packets dropped, by reason.", "worker", "reason")
	descDroppedB = desc("dropped_bytes_total", "Data bytes of packets dropped, by reason.", "worker", "reason")
)

// workerMetrics are the numbers that a worker has one of: the description beside the
// value. A new counter is a row.
var workerMetrics = []workerMetric{
	counter("received_packets_total", "Packets taken from peers.", func(w *WorkerSnapshot) uint64 { return w.ReceivedPackets }),
	counter("received_bytes_total", "Data bytes of packets taken from peers.", func(w *WorkerSnapshot) uint64 { return w.ReceivedBytes }),
	counter("forwarded_packets_total", "Packets written to peers' sockets.", func(w *WorkerSnapshot) uint64 { return w.ForwardedPackets }),
	counter("forwarded_bytes_total", "Data bytes of packets written to peers' sockets.", func(w *WorkerSnapshot) uint64 { return w.ForwardedBytes }),
	counter("handed_over_packets_total", "Packets given to other workers.", func(w *WorkerSnapshot) uint64 { return w.HandedOver }),
	counter("taken_over_packets_total", "Packets got from other workers.", func(w *WorkerSnapshot) uint64 { return w.TakenOver }),
	counter("protocol_errors_total", "Peers disconnected for what they sent.", func(w *WorkerSnapshot) uint64 { return w.ProtocolErrors }),
	counter("pings_total", "Pings answered or lost.", func(w *WorkerSnapshot) uint64 { return w.Pings }),
	counter("pongs_lost_total", "Pongs dropped because the peer pings without reading.", func(w *WorkerSnapshot) uint64 { return w.PongsLost }),
	counter("keep_alives_total", "KeepAlive frames sent.", func(w *WorkerSnapshot) uint64 { return w.KeepAlives }),
	counter("peer_gones_total", "PeerGone frames sent.", func(w *WorkerSnapshot) uint64 { return w.PeerGones }),
	counter("unknown_frames_total", "Frames of no known type, skipped.", func(w *WorkerSnapshot) uint64 { return w.UnknownFrames }),
	counter("decrypt_errors_total", "Peers disconnected for a TLS record that does not authenticate or is none.", func(w *WorkerSnapshot) uint64 { return w.DecryptErrors }),
	counter("tls_alerts_total", "Peers disconnected for a fatal TLS alert of theirs.", func(w *WorkerSnapshot) uint64 { return w.TLSAlerts }),
	counter("key_updates_total", "Peers disconnected for a TLS KeyUpdate that the kernel cannot follow, or for too many.", func(w *WorkerSnapshot) uint64 { return w.KeyUpdates }),
	counter("unexpected_records_total", "Peers disconnected for a TLS record that has no place after the handshake.", func(w *WorkerSnapshot) uint64 { return w.UnexpectedRecords }),
	counter("record_timeouts_total", "Peers disconnected for a TLS record that was begun and not ended.", func(w *WorkerSnapshot) uint64 { return w.RecordTimeouts }),
	counter("tls_records_in_total", "TLS data records opened in user space.", func(w *WorkerSnapshot) uint64 { return w.Records.In }),
	counter("tls_records_out_total", "TLS data records sealed in user space.", func(w *WorkerSnapshot) uint64 { return w.Records.Out }),
	counter("tls_bytes_in_total", "Bytes that TLS records received carried.", func(w *WorkerSnapshot) uint64 { return w.Records.InBytes }),
	counter("tls_bytes_out_total", "Bytes that TLS records sent carry.", func(w *WorkerSnapshot) uint64 { return w.Records.OutBytes }),
	counter("tls_keys_changed_total", "TLS KeyUpdates of peers that were followed.", func(w *WorkerSnapshot) uint64 { return w.Records.KeyUpdates }),
	counter("recv_calls_total", "System calls that read data.", func(w *WorkerSnapshot) uint64 { return w.Recvs }),
	counter("send_calls_total", "System calls that wrote data.", func(w *WorkerSnapshot) uint64 { return w.Sends }),
	counter("waits_total", "Times the worker slept for want of work.", func(w *WorkerSnapshot) uint64 { return w.Waits }),
	counter("moderated_waits_total", "Times the worker slept to let work gather.", func(w *WorkerSnapshot) uint64 { return w.Moderated }),
	counter("cross_wakes_total", "Times the worker woke another.", func(w *WorkerSnapshot) uint64 { return w.CrossWakes }),
	counter("source_pauses_total", "Times a source was paused because a queue was full.", func(w *WorkerSnapshot) uint64 { return w.Pauses }),
	counter("slow_receivers_total", "Times a receiver kept its sources paused for so long that it was given up waiting for.", func(w *WorkerSnapshot) uint64 { return w.SlowReceivers }),
	gauge("queued_packets", "Packets waiting in send queues.", func(w *WorkerSnapshot) int64 { return w.QueuedPackets }),
	gauge("peers", "Connections registered.", func(w *WorkerSnapshot) int64 { return int64(w.Peers) }),
}

// workerMetric is one number of a worker.
type workerMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*WorkerSnapshot) float64
}

func counter(name, help string, value func(*WorkerSnapshot) uint64) workerMetric {
	return workerMetric{desc(name, help, "worker"), prometheus.CounterValue, func(w *WorkerSnapshot) float64 { return float64(value(w)) }}
}

func gauge(name, help string, value func(*WorkerSnapshot) int64) workerMetric {
	return workerMetric{desc(name, help, "worker"), prometheus.GaugeValue, func(w *WorkerSnapshot) float64 { return float64(value(w)) }}
}

// Describe lists the metrics.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descInfo, descLogins, descDropped, descDroppedB} {
		ch <- d
	}
	for _, m := range workerMetrics {
		ch <- m.desc
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
	for _, m := range workerMetrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&w), id)
	}
	byReason := func(d *prometheus.Desc, of map[string]uint64) {
		for reason, n := range of {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), id, reason)
		}
	}
	byReason(descDropped, w.DroppedPackets)
	byReason(descDroppedB, w.DroppedBytes)
}
