package results

import (
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/measure"
)

// recordStats are the records of all trials of a configuration.
type recordStats struct {
	tls    measure.TLS // summed
	suites []string
	trials int

	kernel   measure.KernelTLS // of the relay's host, summed
	counting int               // trials for which the kernel counted
}

func recordsOf(trials []*Trial, c Config) recordStats {
	var r recordStats
	for _, t := range trials {
		if t.Kind != KindTrial || t.Point.Config != c || !t.OK() || t.Load.TLS == nil {
			continue
		}
		l := t.Load.TLS
		r.trials++
		r.tls.Transport = l.Transport
		r.tls.RecordsSent += l.RecordsSent
		r.tls.BytesSent += l.BytesSent
		r.tls.RecordsReceived += l.RecordsReceived
		r.tls.BytesReceived += l.BytesReceived
		if !slices.Contains(r.suites, l.Suite) {
			r.suites = append(r.suites, l.Suite)
		}
		if t.Relay != nil && t.Relay.KernelTLS != nil {
			r.counting++
			r.kernel.Add(t.Relay.KernelTLS)
		}
	}
	return r
}

func (r recordStats) toRelay() string { return meanRecord(r.tls.BytesSent, r.tls.RecordsSent) }
func (r recordStats) fromRelay() string {
	return meanRecord(r.tls.BytesReceived, r.tls.RecordsReceived)
}

func meanRecord(bytes, records uint64) string {
	if records == 0 {
		return na
	}
	return fmt.Sprint((bytes + records/2) / records)
}

// TLSTable is what the encrypted configurations were made of, as measured; nil if
// there is none.
func TLSTable(trials []*Trial, ceilings []Ceiling) *Table {
	t := &Table{
		Title: "TLS as it was", Keys: 1,
		Columns: []Column{
			{Head: "Configuration", Left: true}, {Head: "Client", Left: true}, {Head: "Suite", Left: true},
			{Head: "Record\nto relay", Full: "Mean record to the relay, bytes"}, {Head: "Record\nfrom it", Full: "Mean record from the relay, bytes"},
			{Head: "Kernel TLS\nsoftware", Full: "Kernel TLS connections, software"}, {Head: "device", Full: "Kernel TLS connections, device"},
			{Head: "decrypt\nerrors", Full: "TlsDecryptError"},
		},
	}
	var cs []Config
	for _, c := range ceilings {
		cs = append(cs, c.Config)
	}
	names := Names(cs)
	for _, c := range cs {
		r := recordsOf(trials, c)
		if r.trials == 0 {
			continue
		}
		sw, dev, bad := na, na, na
		if r.counting > 0 {
			sw, dev, bad = fmt.Sprint(r.kernel.TxSoftware), fmt.Sprint(r.kernel.TxDevice), fmt.Sprint(r.kernel.DecryptErrors)
		} else {
			t.addNote("Kernel TLS n/a: the relay's host has no /proc/net/tls_stat.")
		}
		if r.tls.RecordsSent == 0 {
			t.addNote("Record n/a: the kernel that seals them does not count them.")
		}
		name := names[c]
		if b := c.Load.Burst; b != "tick" {
			name += ", burst " + b
		}
		t.Rows = append(t.Rows, []string{name, r.tls.Transport, shortSuite(r.suites), r.toRelay(), r.fromRelay(), sw, dev, bad})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	t.Notes = append(t.Notes, "Records are counted by the client, in mean bytes of plain text. Kernel TLS counts connections on the relay's host during the trials, from /proc/net/tls_stat; on one host the client's own are among them.")
	return t
}

// shortSuite leaves out what all suites have in common.
func shortSuite(suites []string) string {
	var short []string
	for _, s := range suites {
		s = strings.TrimPrefix(s, "TLS_")
		s = strings.TrimSuffix(strings.TrimSuffix(s, "_SHA256"), "_SHA384")
		short = append(short, strings.ReplaceAll(s, "_", "-"))
	}
	return strings.Join(short, ", ")
}
