package results

import (
	"fmt"
	"time"

	"hdbench/internal/measure"
	"hdbench/results/stat"
)

// LoadTable is one run of a load, for the terminal.
func LoadTable(title string, l *measure.Load) *Table {
	t := &Table{Title: title, Columns: []Column{{Head: "Quantity", Left: true}, {Head: "Value"}, {Head: "Unit", Left: true}, {Head: "", Left: true}}}
	add := func(name, value, unit, note string) { t.Rows = append(t.Rows, []string{name, value, unit, note}) }
	window := time.Duration(l.WindowEndMonoNS - l.WindowBeginMonoNS)
	if l.Offered.IsMax() {
		add("offered", "max", "", "as much as the relay takes")
	} else {
		add("offered", mbps(float64(l.Offered)), "Mbps", "")
	}
	add("sent", mbps(l.SentBps), "Mbps", fmt.Sprintf("%d packets in %v", l.SentPackets, window))
	if s, ok := l.Shortfall(); ok {
		add("shortfall", percent(s), "%", fmt.Sprintf("%d packets due and not sent", l.UnsentPackets))
	}
	add("delivered", mbps(l.DeliveredBps), "Mbps", fmt.Sprintf("interval CV %s %%", percent(stat.IntervalCV(l.IntervalDeliveredBps))))
	if loss, ok := l.Loss(); ok {
		add("loss", percent(loss), "%", fmt.Sprintf("%d of %d packets", l.SentPackets-l.DeliveredPackets, l.SentPackets))
	}
	add("faults", fmt.Sprint(l.Duplicate+l.Reordered+l.Corrupt+l.Foreign), "packets",
		fmt.Sprintf("%d duplicate, %d reordered, %d corrupt, %d foreign", l.Duplicate, l.Reordered, l.Corrupt, l.Foreign))
	add("undrained", fmt.Sprint(l.Undrained), "flows", fmt.Sprintf("of %d", l.Flows))
	for _, h := range []struct {
		name string
		h    measure.Histogram
	}{{"latency", l.Latency}, {"round trip", l.RTT}, {"lateness", l.Lateness}, {"pacing", l.Pacing}} {
		if h.h.Count == 0 {
			continue
		}
		add(h.name, duration(h.h.P50NS, h.h.Count), "p50", fmt.Sprintf("p99 %s, p99.9 %s, max %s, n %d",
			duration(h.h.P99NS, h.h.Count), duration(h.h.P999NS, h.h.Count), duration(h.h.MaxNS, h.h.Count), h.h.Count))
	}
	if s := l.TLS; s != nil {
		add("records sent", meanRecord(s.BytesSent, s.RecordsSent), "bytes mean", fmt.Sprintf("%d records, TLS 1.3 %s, sealed by the client's %s", s.RecordsSent, shortSuite([]string{s.Suite}), s.Transport))
		add("received", meanRecord(s.BytesReceived, s.RecordsReceived), "bytes mean", fmt.Sprintf("%d records", s.RecordsReceived))
	}
	if s := l.Strain; s != nil {
		if own, ok := clientShare(l); ok {
			add("client's share", duration(own, 1), "p99", "of the latency, at most: late sends that nobody held back, and data that waited to be read")
		}
		add("sockets full", percent(s.Blocked), "% time", "the senders waited for the relay")
		if l.UnsentPackets > 0 {
			add("client's to send", fmt.Sprint(s.DueUnsent), "packets", fmt.Sprintf("of the %d that were due and not sent, those that nobody else held", l.UnsentPackets))
		}
		if s.QueueLooks > 0 {
			add("data waiting", percent(portion(float64(s.QueueWaiting), float64(s.QueueLooks))), "% looks", fmt.Sprintf("that found over %d KiB at a receiver", measure.QueueBound>>10))
		}
	}
	for _, th := range l.Threads {
		add("thread CPU "+th.CPU, percent(th.Busy), "% busy", th.Role)
	}
	t.Notes = []string{
		"Latency counts from the intended send time to arrival, lateness to the write (with back-pressure), pacing from a tick to its handling (the client's own lateness).",
	}
	return t
}
