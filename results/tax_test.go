package results

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"hdbench/internal/measure"
	"hdbench/internal/units"
	"hdbench/results/stat"
)

// encrypted is a sweep of one relay over three transports, each brought to its
// limit but as told; ktls cannot be measured.
func encrypted(t *testing.T) *Set {
	t.Helper()
	s := &Set{Dir: "/somewhere/transports-1", Environment: environment()}
	noise := []float64{-2, 0, 2, 1}
	tls := hd(1)
	tls.Transport = "tls"
	four := tls
	tls.FramesPerRecord, four.FramesPerRecord = 1, 4
	for run := 1; run <= 4; run++ {
		e := noise[run-1]
		for _, r := range []struct {
			c       Config
			offered units.Rate
			mbps    float64
		}{
			{hd(1), 5 * units.Gbps, 5000 + e}, {hd(1), 10 * units.Gbps, 8000 + 10*e},
			{tls, 5 * units.Gbps, 4000 + 10*e}, {tls, 10 * units.Gbps, 3900 + e},
			{four, 5 * units.Gbps, 4400 + 10*e},
		} {
			tr := trial(r.c, r.offered, run, r.mbps, 0.2)
			if r.c.Transport == "tls" {
				frames := uint64(max(r.c.FramesPerRecord, 1))
				tr.Load.TLS = &measure.TLS{
					Transport: "tls", Suite: "TLS_AES_128_GCM_SHA256", FramesPerRecord: r.c.FramesPerRecord,
					RecordsSent: 1000, BytesSent: 1000 * 1437 * frames, RecordsReceived: 100, BytesReceived: 100 * 16384,
				}
			}
			s.Trials = append(s.Trials, tr)
		}
	}
	ktls := trial(hd(1), 1*units.Gbps, 1, 1000, 0.3)
	ktls.Point.Transport, ktls.Point.FramesPerRecord = "ktls", 1
	ktls.ID = TrialID(KindTrial, ktls.Point, 1)
	ktls.Load, ktls.Relay, ktls.NA = nil, nil, "no kernel TLS: the tls module is not there"
	s.Trials = append(s.Trials, ktls)
	return s
}

func text(t *testing.T, tables ...*Table) string {
	t.Helper()
	var b bytes.Buffer
	for _, tab := range tables {
		if err := tab.Write(&b, Terminal); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestTaxIsOfTheTCPCeiling(t *testing.T) {
	s := encrypted(t)
	points, err := Points(s.Trials)
	if err != nil {
		t.Fatal(err)
	}
	ceilings := Ceilings(points)
	costs := TransportCosts(ceilings)
	if len(costs) != 1 || len(costs[0].Ceilings) != 4 || costs[0].Base.Config != hd(1) {
		t.Fatalf("groups %+v", costs)
	}
	for i := range costs[0].Ceilings {
		c := &costs[0].Ceilings[i]
		tax := TaxOf(c, costs[0].Base)
		switch {
		case c.Config.Transport == "ktls":
			if !strings.Contains(tax.NA, "no kernel TLS") || tax.String() != na {
				t.Errorf("ktls: %+v", tax)
			}
		case c.Config.FramesPerRecord == 1:
			// 1 − 4002.5/8002.5, and an interval around it that is narrow.
			if math.Abs(tax.Value-0.49984) > 1e-4 || !(tax.Lo < tax.Value && tax.Value < tax.Hi) || tax.Hi-tax.Lo > 0.02 {
				t.Errorf("tls: %+v", tax)
			}
		}
	}

	got := text(t, TaxTables(ceilings)...)
	for _, want := range []string{"kTLS cost", "tcp  ", "tls,", "frames-per-record", "50.0 % [", "no kernel TLS", "–"} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
	cpu := text(t, TaxCPUTables(points, ceilings)...)
	for _, want := range []string{"in CPU time", "5000", "0.20", "1.00× [1.00, 1.00]"} {
		if !strings.Contains(cpu, want) {
			t.Errorf("the CPU cost lacks %q:\n%s", want, cpu)
		}
	}
	records := text(t, RecordSizeTable(s.Trials, ceilings))
	for _, want := range []string{"1437", "5748", "16384", "n/a"} {
		if !strings.Contains(records, want) {
			t.Errorf("the record sizes lack %q:\n%s", want, records)
		}
	}
	tls := text(t, TLSTable(s.Trials, ceilings))
	for _, want := range []string{"AES-128-GCM", "has no /proc/net/tls_stat"} {
		if !strings.Contains(tls, want) {
			t.Errorf("the TLS table lacks %q:\n%s", want, tls)
		}
	}
}

// A bound is passed on as one, and two of them say nothing.
func TestTaxOfBounds(t *testing.T) {
	at := func(mbps float64, atLeast bool) *Ceiling {
		return &Ceiling{AtLeast: atLeast, At: new(PointStats), Delivered: stat.EstimateOf(stat.Summarize([]float64{mbps - 1, mbps, mbps + 1}))}
	}
	for _, c := range []struct {
		ceiling, base *Ceiling
		want          string
	}{
		{at(500, false), at(1000, false), "50.0 % ["},
		{at(500, false), at(1000, true), "≥ 50.0 % ["},
		{at(500, true), at(1000, false), "≤ 50.0 % ["},
		{at(500, true), at(1000, true), na},
		{at(1100, false), at(1000, false), "-10.0 % ["},
		{&Ceiling{NA: "no trial"}, at(1000, false), na},
		{at(500, false), &Ceiling{NA: "no trial"}, na},
	} {
		if got := TaxOf(c.ceiling, c.base).String(); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	single := &Ceiling{At: new(PointStats), Delivered: stat.EstimateOf(stat.Summarize([]float64{500e6}))}
	if got := TaxOf(single, at(1000e6, false)).String(); got != "50.0 %" {
		t.Errorf("of one run: %q", got)
	}
}

// A relay over tcp alone has nothing to compare, nor one without tcp.
func TestNoTaxWithoutTwoTransports(t *testing.T) {
	points, err := Points(sampleSet().Trials[:9])
	if err != nil {
		t.Fatal(err)
	}
	if tables := TaxTables(Ceilings(points)); len(tables) != 0 {
		t.Errorf("%d tables", len(tables))
	}
	if RecordSizeTable(nil, Ceilings(points)) != nil || TLSTable(nil, Ceilings(points)) != nil {
		t.Error("tables about TLS without TLS")
	}
}

func TestKernelTLSIsJudged(t *testing.T) {
	c := hd(1)
	c.Transport = "ktls"
	tr := trial(c, units.Gbps, 1, 1000, 0.2)
	tr.Relay.KernelTLS = &measure.KernelTLS{TxSoftware: 20, RxSoftware: 20}
	if fs := Judge(tr); len(fs) != 0 {
		t.Errorf("a good trial: %v", fs)
	}
	tr.Relay.KernelTLS.TxSoftware = 3
	if fs := Judge(tr); len(fs) != 1 || fs[0].Code != Accounting {
		t.Errorf("too few connections in the kernel: %v", fs)
	}
	tr.Relay.KernelTLS = &measure.KernelTLS{TxDevice: 20, DecryptErrors: 1}
	if fs := Judge(tr); len(fs) != 1 || fs[0].Code != Corrupt {
		t.Errorf("a record that did not open: %v", fs)
	}
}

// The lab's one CPU is shared by design, and said beside the ceilings.
func TestTheLabSharesItsCPU(t *testing.T) {
	s := encrypted(t)
	for _, tr := range s.Trials {
		tr.RelayCPUs, tr.ClientCPUs = "0", "0"
		tr.Validity = Judge(tr)
		if tr.OK() && (len(tr.Validity) != 1 || tr.Validity[0].Code != Oversubscribed) {
			t.Fatalf("outside the lab: %v", tr.Validity)
		}
		tr.Lab = "a kernel"
		if fs := Judge(tr); len(fs) != 0 {
			t.Fatalf("in the lab: %v", fs)
		}
	}
	r, err := NewReport(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b, Markdown); err != nil || !strings.Contains(b.String(), labNote) {
		t.Errorf("the report does not say so: %v", err)
	}
}

// A clock too coarse to be believed must not become a cost.
func TestCPUTimeThatCannotBeToldIsNoCost(t *testing.T) {
	c := hd(2)
	set := sampleSet()
	set.Environment.Hosts[0].Host.NoCPUTime = "the CPU clock of a process goes in steps of 10ms here"
	for _, tr := range set.Trials {
		if tr.Relay != nil {
			tr.Relay.CPUNA = set.Environment.Hosts[0].Host.NoCPUTime
		}
	}
	points, err := Points(set.Trials)
	if err != nil {
		t.Fatal(err)
	}
	seen := false
	for _, p := range points {
		seen = seen || p.Point.Config == c
		if !math.IsNaN(p.CPUPerGbit.Mean) || !math.IsNaN(p.RelayCPU.Mean) {
			t.Errorf("%v: %v CPU-s/Gbit, %v CPUs", p.Point, p.CPUPerGbit.Mean, p.RelayCPU.Mean)
		}
	}
	if !seen {
		t.Fatal("the sample has no hd with two workers")
	}
	r, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Write(&b, Terminal); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "CPU time n/a") || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "times the CPU time") {
		t.Errorf("%s", b.String())
	}
}
