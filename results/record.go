package results

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"hdbench/internal/measure"
)

// Kind says what a record is for.
type Kind string

// The kinds. Only trials make the rate sweep and what follows from it; searches
// and profiles have tables of their own, the others are kept because they explain.
const (
	KindTrial       Kind = "trial"
	KindCalibration Kind = "calibration" // the client without a relay: its own limit
	KindProbe       Kind = "probe"       // a short look at what a configuration carries, to choose rates
	KindSearch      Kind = "search"      // a look of the search for NDR and PDR
	KindProfile     Kind = "profile"     // with the relay sampled, which costs it something
)

// Trial is the record of one measurement at one point.
type Trial struct {
	Schema  int       `json:"schema"`
	Kind    Kind      `json:"kind"`
	ID      string    `json:"id"` // of the point and the run: what a resumed sweep looks for
	Point   Point     `json:"point"`
	Run     int       `json:"run"`               // 1 for the first at its point
	Attempt int       `json:"attempt,omitempty"` // from 2: those before it failed, and are recorded before it
	Order   int       `json:"order"`             // position in the shuffled sweep, from 1
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // wall time, start and stop of the relay included

	Search *SearchLook `json:"search,omitempty"` // of KindSearch: what is searched for

	Load  *measure.Load  `json:"load,omitempty"`
	Relay *measure.Relay `json:"relay,omitempty"`
	// Steal is what the hypervisor took from the CPUs of each role in the window.
	Steal []measure.Steal `json:"steal,omitempty"`
	// Distance is how far the relay's CPUs were from the client's; nil where they are
	// not of one host.
	Distance *measure.Distance `json:"distance,omitempty"`

	// RelayNotes are what the relay did that it should not, and that spoils no number:
	// how it ended, most of the time.
	RelayNotes []measure.RelayNote `json:"relay_notes,omitempty"`

	Profile *measure.Profile `json:"profile,omitempty"` // of KindProfile: where the relay's CPU time went

	Error string `json:"error,omitempty"` // the trial failed: no numbers
	NA    string `json:"na,omitempty"`    // the point cannot be measured here, and why

	Lab            string  `json:"lab,omitempty"` // measured on a kernel of the lab: what that is
	RelayHost      string  `json:"relay_host,omitempty"`
	ClientHost     string  `json:"client_host,omitempty"`
	RelayCPUs      string  `json:"relay_cpus,omitempty"`
	ClientCPUs     string  `json:"client_cpus,omitempty"`
	ClientLimitBps float64 `json:"client_limit_bps,omitempty"` // from calibration; 0 if there was none
	ClockBoundNS   int64   `json:"clock_bound_ns"`             // how far the hosts' clocks may be apart, as the windows were aligned

	// Clocks are the hosts' clocks before and after; empty if all hosts have one.
	Clocks []measure.ClockCheck `json:"clocks,omitempty"`
	// What all clients' links carry together, to the relay and from it, TCP payload
	// bits per second in the line check; 0 if there was none.
	LineToRelayBps   float64 `json:"line_to_relay_bps,omitempty"`
	LineFromRelayBps float64 `json:"line_from_relay_bps,omitempty"`

	Validity []Finding `json:"validity,omitempty"` // why the numbers cannot be trusted; empty if they can

	// Extra holds fields this version does not know; they are written back.
	Extra map[string]json.RawMessage `json:"-"`
}

// TrialID names a point's run, the same in every process.
func TrialID(k Kind, p Point, run int) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("results: a point does not marshal: " + err.Error()) // it is numbers and strings
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%s-%s-%d", k, hex.EncodeToString(sum[:6]), run)
}

// OK reports whether the trial has numbers.
func (t *Trial) OK() bool { return t.Error == "" && t.NA == "" && t.Load != nil }

// Valid reports whether all of the trial's numbers can be trusted.
func (t *Trial) Valid() bool { return t.OK() && len(t.Validity) == 0 }

// relayCost is how many CPUs the relay used, and how many CPU-seconds per
// delivered Gbit; NaN where it was not measured.
func (t *Trial) relayCost() (cpus, perGbit float64) {
	r := t.Relay
	if r == nil || r.CPUNA != "" || !(r.WindowSeconds > 0) {
		return math.NaN(), math.NaN()
	}
	cpus, perGbit = r.CPUSeconds/r.WindowSeconds, math.NaN()
	if t.Load != nil && t.Load.DeliveredBps > 0 {
		perGbit = cpus / (t.Load.DeliveredBps / 1e9)
	}
	return cpus, perGbit
}

// plain is Trial without its methods, so that they can call encoding/json.
type plain Trial

// knownFields are the JSON names of Trial's fields.
var knownFields = func() map[string]bool {
	known := map[string]bool{}
	t := reflect.TypeFor[Trial]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
	}
	return known
}()

// MarshalJSON writes the fields this version knows, then the others it read.
func (t Trial) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(plain(t))
	if err != nil || len(t.Extra) == 0 {
		return b, err
	}
	extra, err := json.Marshal(t.Extra)
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), extra[1:]...), nil
}

// UnmarshalJSON reads a record and keeps the fields it does not know. A record
// of another schema is an error that wraps ErrSchema.
func (t *Trial) UnmarshalJSON(b []byte) error {
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if head.Schema == nil {
		return fmt.Errorf("%w: the record has no schema version, want %d", ErrSchema, SchemaVersion)
	}
	if *head.Schema != SchemaVersion {
		return fmt.Errorf("%w: the record has schema %d, this hdbench reads %d", ErrSchema, *head.Schema, SchemaVersion)
	}
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for name := range all {
		if knownFields[name] {
			delete(all, name)
		}
	}
	if len(all) > 0 {
		p.Extra = all
	}
	*t = Trial(p)
	return nil
}
