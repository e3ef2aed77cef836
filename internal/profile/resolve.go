package profile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"hdbench/internal/measure"
	"hdbench/internal/perf"
)

// maxFunctions is how many functions a summary lists; the rest is counted
// together.
const maxFunctions = 60

// Resolve gives what was sampled names and categories. It comes after Stop.
func (s *Sampler) Resolve(rules *Rules) (*Profile, error) {
	if s.got.samples == 0 {
		if s.lost > 0 {
			return nil, fmt.Errorf("sample process %d: all %d samples were lost: the ring was full", s.cfg.PID, s.lost)
		}
		return nil, fmt.Errorf("process %d, %.1f s: %w", s.cfg.PID, s.seconds, ErrIdle)
	}
	kernel := readKernelSymbols()
	if kernel.err != nil {
		s.world.note(fmt.Sprintf("names of the kernel: n/a: %v", kernel.err))
	}
	p := &Profile{began: s.began}
	if s.taps.event == perf.CPUClock {
		p.period = uint64(1e9 / float64(s.cfg.FrequencyHz))
	}
	named := newNamer(s.world, &kernel)
	cats := newCategorizer(rules)
	for _, st := range s.got.all {
		out := Stack{
			Frames: named.frames(st), PID: int(st.program.pid), TID: int(st.tid), Thread: s.world.threads[st.tid],
			Samples: st.samples, Weight: st.weight,
		}
		out.Category = cats.category(out.Frames)
		out.Kernel = len(out.Frames) > 0 && out.Frames[0].Kernel
		p.Stacks = append(p.Stacks, out)
	}
	slices.SortFunc(p.Stacks, func(a, b Stack) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.folded(), b.folded()), cmp.Compare(a.TID, b.TID))
	})
	for f := range maps.Values(s.world.files) {
		if f.err != nil {
			s.world.note(fmt.Sprintf("names of %s: n/a: %v", f.path, f.err))
		}
		p.files = append(p.files, f)
	}
	slices.SortFunc(p.files, func(a, b *elfFile) int { return cmp.Compare(a.path, b.path) })
	slices.Sort(s.world.notes)
	p.Summary = measure.Profile{
		Binary: filepath.Base(s.world.main[program{pid: uint32(s.cfg.PID)}]),
		Event:  s.taps.event.Name, FrequencyHz: s.cfg.FrequencyHz, Seconds: s.seconds,
		Samples: s.got.samples, Weight: s.got.weight, Lost: s.lost + s.got.dropped, Throttled: s.throttled, LeafOnly: s.got.leafOnly,
		Rules: rules.Name, SamplerCPU: s.cpu.Seconds(), Notes: s.world.notes,
		Processes: len(s.processes), Threads: len(s.threads),
	}
	p.summarize()
	return p, nil
}

// namer gives addresses names, each once.
type namer struct {
	world  *world
	kernel *kernelSymbols
	seen   map[namedAddr]Frame
}

type namedAddr struct {
	program program // none for the kernel
	addr    uint64
	caller  bool
}

func newNamer(w *world, k *kernelSymbols) *namer { return &namer{w, k, map[namedAddr]Frame{}} }

// frames are a stack's. The innermost address of each space is where it was; all
// others are where a call returns to.
func (n *namer) frames(s *stack) []Frame {
	frames := make([]Frame, 0, len(s.kernel)+len(s.user))
	for i, a := range s.kernel {
		frames = append(frames, n.frame(namedAddr{addr: a, caller: i > 0}, true))
	}
	for i, a := range s.user {
		frames = append(frames, n.frame(namedAddr{s.program, a, i > 0}, false))
	}
	return frames
}

func (n *namer) frame(k namedAddr, kernel bool) Frame {
	f, there := n.seen[k]
	if !there {
		if kernel {
			f = n.kernel.frame(k.addr, k.caller)
		} else {
			f = n.world.user(k.program, k.addr, k.caller)
		}
		n.seen[k] = f
	}
	return f
}

// summarize adds up the stacks by category and by function.
func (p *Profile) summarize() {
	type category struct {
		name   string
		kernel bool
	}
	type function struct {
		name, module, category string
		kernel                 bool
	}
	cats, funcs := map[category]*measure.CategoryShare{}, map[function]*measure.FunctionShare{}
	s := &p.Summary
	for i := range p.Stacks {
		st := &p.Stacks[i]
		c := category{st.Category, st.Kernel}
		if cats[c] == nil {
			cats[c] = &measure.CategoryShare{Name: c.name, Kernel: c.kernel}
		}
		cats[c].Samples, cats[c].Weight = cats[c].Samples+st.Samples, cats[c].Weight+st.Weight
		f := function{name: "no call stack", category: st.Category}
		if len(st.Frames) > 0 {
			leaf := st.Frames[0]
			f.name, f.module, f.kernel = leaf.Text(), leaf.Module, leaf.Kernel
			switch {
			case leaf.Name != "":
			case leaf.Kernel:
				s.UnresolvedKernel += st.Samples
			default:
				s.UnresolvedUser += st.Samples
			}
		} else {
			s.UnresolvedUser += st.Samples
		}
		if funcs[f] == nil {
			funcs[f] = &measure.FunctionShare{Name: f.name, Module: f.module, Category: f.category, Kernel: f.kernel}
		}
		funcs[f].Samples, funcs[f].Weight = funcs[f].Samples+st.Samples, funcs[f].Weight+st.Weight
	}
	for c := range maps.Values(cats) {
		s.Categories = append(s.Categories, *c)
	}
	slices.SortFunc(s.Categories, func(a, b measure.CategoryShare) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Name, b.Name))
	})
	s.Functions = heaviest(slices.Collect(maps.Values(funcs)))
	if len(s.Functions) > maxFunctions {
		for _, f := range s.Functions[maxFunctions:] {
			s.OtherFunctions++
			s.OtherWeight += f.Weight
		}
		s.Functions = s.Functions[:maxFunctions]
	}
}

// heaviest are the functions by weight. A function that stands in several
// categories, by its callers, is one: under the category where most of it is.
func heaviest(all []*measure.FunctionShare) []measure.FunctionShare {
	slices.SortFunc(all, func(a, b *measure.FunctionShare) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), strings.Compare(a.Name, b.Name), strings.Compare(a.Module, b.Module), strings.Compare(a.Category, b.Category))
	})
	type key struct {
		name, module string
		kernel       bool
	}
	at := map[key]int{}
	var out []measure.FunctionShare
	for _, f := range all {
		k := key{f.Name, f.Module, f.Kernel}
		if i, there := at[k]; there {
			out[i].Samples, out[i].Weight = out[i].Samples+f.Samples, out[i].Weight+f.Weight
			continue
		}
		at[k] = len(out)
		out = append(out, *f)
	}
	slices.SortStableFunc(out, func(a, b measure.FunctionShare) int { return cmp.Compare(b.Weight, a.Weight) })
	return out
}

// IsNotPermitted reports whether sampling is what this user may not do.
func IsNotPermitted(err error) bool { return errors.Is(err, perf.ErrNotPermitted) }
