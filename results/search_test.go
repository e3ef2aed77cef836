package results

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"hdbench/internal/units"
)

func spec() SearchSpec {
	return SearchSpec{
		LossRatios: []float64{0, 0.005}, ExceedRatio: 0.5, Width: 0.1, Shortfall: 0.01, Min: units.Gbps, Max: 10 * units.Gbps,
		InitialNS: int64(200 * time.Millisecond), FinalNS: int64(time.Second), SumNS: int64(3 * time.Second),
	}
}

func TestLadderIsAsFineAsTheWidth(t *testing.T) {
	for _, width := range []float64{0.001, 0.02, 0.1, 0.5} {
		for _, top := range []units.Rate{1.0003 * units.Gbps, 2 * units.Gbps, 123.456 * units.Gbps} {
			s := spec()
			s.Width, s.Max = width, top
			loads := s.Ladder()
			if len(loads) < 2 || loads[0] != s.Min || loads[len(loads)-1] != s.Max {
				t.Fatalf("width %v to %v: %v", width, top, loads)
			}
			for i := 1; i < len(loads); i++ {
				if loads[i] <= loads[i-1] || relativeWidth(loads[i-1], loads[i]) > width {
					t.Errorf("width %v to %v: from %v to %v", width, top, loads[i-1], loads[i])
				}
				back, err := units.ParseRate(loads[i].String())
				if err != nil || back.String() != loads[i].String() {
					t.Errorf("%v is read back as %v, %v", loads[i], back, err)
				}
			}
		}
	}
}

// The classes at a load are those of the draft's appendix A.
func TestLoadsAreClassified(t *testing.T) {
	good := Look{Duration: time.Second}
	bad := Look{Duration: time.Second, Loss: 0.1}
	pushed := Look{Duration: time.Second, Shortfall: 0.02}
	shortGood := Look{Duration: 200 * time.Millisecond}
	shortBad := Look{Duration: 200 * time.Millisecond, Loss: 0.1}
	limited := Look{Duration: time.Second, Invalid: ClientLimited}
	late := Look{Duration: time.Second, Invalid: PacingLate}
	lossy := Look{Duration: time.Second, Loss: 0.003}
	many := func(l Look, n int) (ls []Look) {
		for range n {
			ls = append(ls, l)
		}
		return ls
	}
	for _, c := range []struct {
		name  string
		looks []Look
		loss  float64
		want  Class
	}{
		{"nothing", nil, 0, Undecided},
		{"one good", many(good, 1), 0, Undecided},
		{"two good of three", many(good, 2), 0, LowerBound},
		{"two bad of three", many(bad, 2), 0, UpperBound},
		{"back-pressure", many(pushed, 2), 0, UpperBound},
		{"one each", []Look{good, bad}, 0, Undecided},
		{"outvoted", []Look{good, bad, good}, 0, LowerBound},
		{"a little loss is too much for NDR", many(lossy, 2), 0, UpperBound},
		{"and not for PDR", many(lossy, 2), 0.005, LowerBound},
		{"short and good is not enough", many(shortGood, 30), 0, Undecided},
		{"short and bad is, if often", many(shortBad, 8), 0, UpperBound},
		{"short ones balance", append(many(shortGood, 8), many(shortBad, 8)...), 0, Undecided},
		{"client-limited twice", many(limited, 2), 0, Blocked},
		{"client-limited once", many(limited, 1), 0, Undecided},
		{"late three times", many(late, 3), 0, Blocked},
		{"invalid looks do not undo a bound", append(many(good, 2), many(limited, 2)...), 0, LowerBound},
	} {
		e := NewEvidence(spec())
		for _, l := range c.looks {
			l.Load = e.Loads[3]
			if err := e.Add(l); err != nil {
				t.Fatal(err)
			}
		}
		if got := e.Class(3, c.loss, e.Final()); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Conditional throughput is by the quantile of the long looks, the missing ones
// taken as lost (appendix B).
func TestConditionalThroughput(t *testing.T) {
	for _, c := range []struct {
		loss []float64
		want float64 // share of the load
	}{
		{[]float64{0, 0, 0}, 1}, {[]float64{0.004, 0.001, 0.5}, 1 - 0.004}, {[]float64{0.2}, 0}, {[]float64{0, 0.1}, 0.9},
	} {
		e := NewEvidence(spec())
		for _, loss := range c.loss {
			if err := e.Add(Look{Load: e.Loads[2], Duration: time.Second, Loss: loss}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := float64(e.conditional(2)), c.want*float64(e.Loads[2]); got < want-1 || got > want+1 {
			t.Errorf("%v: %v, want %v", c.loss, got, want)
		}
	}
}

// lookRecord is the record of a look of made-up outcome.
func lookRecord(c Config, load units.Rate, n, order int, loss float64, busy float64) *Trial {
	t := trial(c, load, n, float64(load)/1e6*(1-loss), 0.2)
	t.Kind, t.ID, t.Run, t.Order = KindSearch, TrialID(KindSearch, t.Point, n), n, order
	t.Search = &SearchLook{SearchSpec: spec(), DurationNS: int64(time.Second)}
	if loss == 0 {
		t.Load.DeliveredPackets = t.Load.SentPackets
	}
	t.Load.Threads[0].Busy = busy
	t.Relay.Counters = nil
	if t.Validity = Judge(t); busy > 0.9 { // and behind with it
		t.Load.SentPackets, t.Load.DeliveredPackets = 980, 980
		t.Load.SentBps *= 0.98
		t.Load.UnsentPackets, t.Load.Strain.DueUnsent = 20, 20
		clientLimited(t)
	}
	return t
}

// searchTrials are the looks of four searches: one regular, one that the client
// ends, one that fails, one that cannot be made.
func searchTrials(t *testing.T) []*Trial {
	t.Helper()
	loads := spec().Ladder()
	var ts []*Trial
	for i, load := range loads[8:14] {
		loss := []float64{0, 0, 0.002, 0.003, 0.1, 0}[i]
		for n := 1; n <= 2; n++ {
			ts = append(ts, lookRecord(hd(1), load, n, len(ts)+1, loss, 0.5))
		}
	}
	for i, load := range loads[8:10] {
		for n := 1; n <= 2; n++ {
			ts = append(ts, lookRecord(hd(2), load, n, 2*i+n, 0, 0.5+0.47*float64(i)))
		}
	}
	failed := lookRecord(derper(), loads[8], 1, 1, 0, 0.5)
	failed.Load, failed.Relay, failed.Validity, failed.Error = nil, nil, nil, "derper: it exited\nand more"
	missing := lookRecord(Config{Relay: RelayHD, Transport: "ktls", Workers: 1, Load: shape}, loads[0], 1, 0, 0, 0.5)
	missing.Load, missing.Relay, missing.Validity, missing.NA = nil, nil, nil, "no kernel TLS: the tls module is not there"
	ts = append(ts, failed, missing)
	for i, tr := range ts { // as they are read from a file
		b, err := json.Marshal(tr)
		if err != nil {
			t.Fatal(err)
		}
		ts[i] = new(Trial)
		if err := json.Unmarshal(b, ts[i]); err != nil {
			t.Fatal(err)
		}
	}
	return ts
}

func TestSearchesAreReported(t *testing.T) {
	set := &Set{Dir: "/somewhere/search-1", Environment: environment(), Trials: searchTrials(t)}
	r, err := NewReport(set, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text, md bytes.Buffer
	if err := r.Write(&text, Terminal); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(&md, Markdown); err != nil {
		t.Fatal(err)
	}
	golden(t, "search.txt", []byte(sectionOf(text.String(), "CEILING SEARCH", "CPU BREAKDOWN")))
	golden(t, "search.md", []byte(sectionOf(md.String(), "## Ceiling search", "## CPU breakdown")))
	findings := sectionOf(text.String(), "KEY FINDINGS", "SETUP")
	for _, want := range []string{
		"NDR of hd tcp 1 worker on-full pause lies between 2565 and 2848 Mbps.",
		"NDR of hd tcp 2 workers on-full pause is at least 2310 Mbps: looks at",
	} {
		if !strings.Contains(strings.Join(strings.Fields(findings), " "), want) {
			t.Errorf("key findings lack %q: %s", want, findings)
		}
	}
	if strings.Contains(findings, "derper") || strings.Contains(findings, "no trial") {
		t.Errorf("key findings of what was not found: %s", findings)
	}
	for line := range strings.Lines(text.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func sectionOf(report, from, to string) string {
	_, rest, _ := strings.Cut(report, from)
	part, _, _ := strings.Cut(rest, to)
	return from + part
}

func TestSearchResults(t *testing.T) {
	rs, err := Searches(searchTrials(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(rs) != 4 {
		t.Fatalf("%d searches", len(rs))
	}
	loads := spec().Ladder()
	ndr, pdr := rs[0].Goals[0], rs[0].Goals[1]
	if near := func(a, b units.Rate) bool { return a/b > 0.999999 && a/b < 1.000001 }; !near(ndr.Lower, loads[9]) || !near(ndr.Upper, loads[10]) || ndr.Inversion == 0 || !near(pdr.Lower, loads[11]) || !near(pdr.Upper, loads[12]) {
		t.Errorf("NDR %+v, PDR %+v of %v", ndr, pdr, loads[8:14])
	}
	if !ndr.Done || ndr.Irregular != "" {
		t.Errorf("%+v", ndr)
	}
	if g := rs[1].Goals[0]; !g.Done || g.Upper != 0 || !strings.Contains(g.Irregular, "client-limited") || rs[1].Invalid != 2 {
		t.Errorf("%+v", rs[1])
	}

	ts := searchTrials(t)
	ts[0].Point.Offered *= 1.01
	if _, err := Searches(ts); err == nil || !strings.Contains(err.Error(), ts[0].ID) {
		t.Errorf("a look off the ladder: %v", err)
	}
	ts = searchTrials(t)
	ts[0].Search.Width = 0
	if _, err := Searches(ts); err == nil || !strings.Contains(err.Error(), "width") {
		t.Errorf("no width: %v", err)
	}
	if _, err := LookOf(trial(hd(1), units.Gbps, 1, 1000, 1)); err == nil {
		t.Error("a trial is taken for a look")
	}
}
