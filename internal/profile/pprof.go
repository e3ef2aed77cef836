package profile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	pprof "github.com/google/pprof/profile"
)

// Write writes the profile as pprof's gzipped protocol buffer. Every sample has
// two values, how often and how much, and labels: thread, category, and the
// numbers of thread and process. What is categorised and named here is not asked
// for again when it is opened: go tool pprof needs neither binaries nor symbols.
func (p *Profile) Write(w io.Writer) error {
	b := &pprofBuilder{
		out: &pprof.Profile{
			SampleType:    []*pprof.ValueType{{Type: "samples", Unit: "count"}, weightType(p.Summary.Event)},
			PeriodType:    weightType(p.Summary.Event),
			Period:        int64(p.period),
			TimeNanos:     p.began.UnixNano(),
			DurationNanos: int64(p.Summary.Seconds * float64(time.Second)),
			Comments:      p.comments(),
		},
		mappings:  map[string]*pprof.Mapping{},
		functions: map[functionKey]*pprof.Function{},
		locations: map[locationKey]*pprof.Location{},
	}
	b.out.DefaultSampleType = b.out.SampleType[1].Type
	b.mappingOfBinary(p) // what pprof calls the file is the first
	for i := range p.Stacks {
		b.add(&p.Stacks[i])
	}
	if err := b.out.CheckValid(); err != nil {
		return fmt.Errorf("pprof profile: %w", err)
	}
	return b.out.Write(w)
}

func weightType(event string) *pprof.ValueType {
	if event == "cpu-clock" {
		return &pprof.ValueType{Type: "cpu", Unit: "nanoseconds"}
	}
	return &pprof.ValueType{Type: event, Unit: "count"}
}

func (p *Profile) comments() []string {
	s := p.Summary
	lines := []string{fmt.Sprintf("hdbench: %s at %d Hz, %d samples, %d lost; rules: %s", s.Event, s.FrequencyHz, s.Samples, s.Lost, s.Rules)}
	return append(lines, s.Notes...)
}

type functionKey struct{ name, module string }

type locationKey struct {
	addr   uint64
	name   string
	module string
}

type pprofBuilder struct {
	out       *pprof.Profile
	mappings  map[string]*pprof.Mapping
	functions map[functionKey]*pprof.Function
	locations map[locationKey]*pprof.Location
}

func (b *pprofBuilder) add(s *Stack) {
	sample := &pprof.Sample{
		Value:    []int64{int64(s.Samples), int64(s.Weight)},
		Label:    map[string][]string{"thread": {foldable(s.Thread)}, "category": {s.Category}},
		NumLabel: map[string][]int64{"tid": {int64(s.TID)}, "pid": {int64(s.PID)}},
	}
	for i := range s.Frames {
		sample.Location = append(sample.Location, b.location(&s.Frames[i]))
	}
	b.out.Sample = append(b.out.Sample, sample)
}

func (b *pprofBuilder) location(f *Frame) *pprof.Location {
	k := locationKey{f.Addr, f.Text(), f.Module}
	if l := b.locations[k]; l != nil {
		return l
	}
	l := &pprof.Location{
		ID: uint64(len(b.out.Location) + 1), Address: f.Addr, Mapping: b.mapping(f),
		Line: []pprof.Line{{Function: b.function(f)}},
	}
	b.locations[k] = l
	b.out.Location = append(b.out.Location, l)
	return l
}

func (b *pprofBuilder) function(f *Frame) *pprof.Function {
	k := functionKey{f.Text(), f.Module}
	if fn := b.functions[k]; fn != nil {
		return fn
	}
	fn := &pprof.Function{ID: uint64(len(b.out.Function) + 1), Name: f.Text(), SystemName: f.Text(), Filename: f.Module}
	b.functions[k] = fn
	b.out.Function = append(b.out.Function, fn)
	return fn
}

func (b *pprofBuilder) mappingOfBinary(p *Profile) {
	for i := range p.Stacks {
		for j := range p.Stacks[i].Frames {
			if f := &p.Stacks[i].Frames[j]; f.own {
				b.mapping(f)
				return
			}
		}
	}
}

// mapping is the module. Its names are all there, so that nobody looks for more.
func (b *pprofBuilder) mapping(f *Frame) *pprof.Mapping {
	if m := b.mappings[f.Module]; m != nil {
		return m
	}
	m := &pprof.Mapping{ID: uint64(len(b.out.Mapping) + 1), File: f.Module, HasFunctions: true}
	if f.file != nil {
		m.File, m.BuildID = f.file.path, f.file.buildID
	}
	b.mappings[f.Module] = m
	b.out.Mapping = append(b.out.Mapping, m)
	return m
}

// The endings of a profile's files.
const (
	EndingPprof  = ".pb.gz"
	EndingFolded = ".folded"
)

// WriteFiles writes the profile and its folded stacks, each whole or with an error.
func (p *Profile) WriteFiles(pprofFile, foldedFile string) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{pprofFile, p.Write}, {foldedFile, p.WriteFolded}} {
		out, err := os.Create(f.name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.write(out), out.Close()); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}
