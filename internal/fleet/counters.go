package fleet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"hdbench/internal/measure"
	"hdbench/relay"
)

// maxPage bounds what is read of a relay's own pages.
const maxPage = 16 << 20

// get reads a page of a relay.
func get(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	// The certificate is of the relay's own making, and the relay is our child.
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxPage), resp.Body}, nil
}

// hdCounters reads a hdbench relay's snapshot.
func hdCounters(ctx context.Context, metrics string) (*measure.Counters, error) {
	body, err := get(ctx, "http://"+metrics+"/snapshot")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var snap relay.Snapshot
	if err := json.NewDecoder(body).Decode(&snap); err != nil {
		return nil, fmt.Errorf("relay's snapshot: %w", err)
	}
	t := snap.Totals()
	c := &measure.Counters{Received: t.ReceivedPackets, Forward: t.ForwardedPackets, Dropped: t.Dropped, Queued: t.QueuedPackets}
	var records measure.RecordCounts
	for _, w := range snap.PerWorker {
		records.In += w.Records.In
		records.InBytes += w.Records.InBytes
		records.Out += w.Records.Out
		records.OutBytes += w.Records.OutBytes
		c.PerWorker = append(c.PerWorker, measure.WorkerCounters{
			Received: w.ReceivedPackets, Forward: w.ForwardedPackets, Recvs: w.Recvs, Sends: w.Sends, Waits: w.Waits,
		})
	}
	if records.In+records.Out > 0 {
		c.Records = &records
	}
	return c, nil
}

// derperCounters reads derper's /debug/varz, which it serves to loopback.
func derperCounters(ctx context.Context, addr, scheme string) (*measure.Counters, error) {
	body, err := get(ctx, scheme+"://"+addr+"/debug/varz")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return parseVarz(body)
}

// parseVarz finds the packet counters in derper's metrics.
func parseVarz(r io.Reader) (*measure.Counters, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("derper's /debug/varz: %w", err)
	}
	c := &measure.Counters{Dropped: map[string]uint64{}}
	for name, to := range map[string]*uint64{"derp_packets_received": &c.Received, "derp_packets_sent": &c.Forward} {
		f := families[name]
		if f == nil || len(f.Metric) != 1 {
			return nil, fmt.Errorf("derper's /debug/varz has no %s", name)
		}
		*to = value(f.Metric[0])
	}
	drops := families["derp_packets_dropped"]
	if drops == nil {
		return nil, fmt.Errorf("derper's /debug/varz has no derp_packets_dropped")
	}
	for _, m := range drops.Metric {
		for _, l := range m.Label {
			if l.GetName() == "reason" {
				c.Dropped[l.GetValue()] += value(m)
			}
		}
	}
	return c, nil
}

// value of a counter, however its type is declared.
func value(m *dto.Metric) uint64 {
	switch {
	case m.Counter != nil:
		return uint64(m.Counter.GetValue())
	case m.Gauge != nil:
		return uint64(m.Gauge.GetValue())
	default:
		return uint64(m.Untyped.GetValue())
	}
}
