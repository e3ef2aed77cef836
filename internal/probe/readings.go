package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
	"hdbench/internal/perf"
)

// Readings looks at what this host is doing, for as long as the sample takes.
// dataAddr is where traffic will go. What cannot be read is in Missing.
func Readings(ctx context.Context, sample time.Duration, dataAddr string) *measure.Readings {
	s := Here()
	r := &measure.Readings{SampleNS: int64(sample)}
	m := &missing{s: s}
	m.add("cpus", s.sampleCPUs(ctx, sample, r))
	s.state(r, m)
	var err error
	r.Clock, err = wallClock()
	m.add("clock", err)
	r.PMU = noPMU()
	r.Route, err = routeTo(dataAddr)
	m.add("route", err)
	r.Missing = m.of
	return r
}

// state reads what files tell at once.
func (s Source) state(r *measure.Readings, m *missing) {
	proc, err := s.proc()
	if err != nil {
		m.add("load_1min", err)
		m.add("swap_used_bytes", err)
		m.add("may_perf", err)
	} else {
		if load, err := proc.LoadAvg(); err != nil {
			m.add("load_1min", err)
		} else {
			r.Load1 = load.Load1
		}
		swaps, err := proc.Swaps()
		m.add("swap_used_bytes", err)
		for _, w := range swaps {
			r.SwapUsedBytes += uint64(w.Used) << 10
		}
		r.Privileged, err = s.mayPerf()
		m.add("may_perf", err)
	}
	sys, err := s.sys()
	if err != nil {
		m.add("throttled", err)
		m.add("on_battery", err)
		return
	}
	r.Throttle, err = s.throttled()
	m.add("throttled", err)
	supplies, err := sys.PowerSupplyClass()
	m.add("on_battery", err)
	for _, p := range supplies {
		r.Battery = r.Battery || p.Type == "Battery" && p.Status == "Discharging"
	}
}

// throttled sums the counters of heat over cores; a package's is told by each of
// its cores and counted once.
func (s Source) throttled() (uint64, error) {
	const dir = "sys/devices/system/cpu"
	cpus, err := s.numbered("cpu", dir)
	if err != nil {
		return 0, err
	}
	var cores, packages uint64
	known := false
	for _, c := range cpus {
		folder := fmt.Sprintf("%s/cpu%d/thermal_throttle", dir, c)
		core, errC := s.number(folder, "core_throttle_count")
		pack, errP := s.number(folder, "package_throttle_count")
		if errC == nil {
			known, cores = true, cores+uint64(core)
		}
		if errP == nil {
			known, packages = true, max(packages, uint64(pack))
		}
		err = cmp.Or(err, errC)
	}
	if !known {
		return 0, err
	}
	return cores + packages, nil
}

// Bits of the effective capability set that lift perf_event_paranoid
// (include/uapi/linux/capability.h).
const (
	capSysAdmin = 21
	capPerfmon  = 38
)

func (s Source) mayPerf() (bool, error) {
	text, err := s.text("proc/self/status")
	if err != nil {
		return false, err
	}
	_, rest, there := strings.Cut(text, "\nCapEff:")
	var set uint64
	if _, err := fmt.Sscanf(rest, "%x", &set); !there || err != nil {
		return false, errors.New("/proc/self/status tells no CapEff")
	}
	return set>>capSysAdmin&1 == 1 || set>>capPerfmon&1 == 1, nil
}

// sampleCPUs reads the CPUs' times twice.
func (s Source) sampleCPUs(ctx context.Context, d time.Duration, r *measure.Readings) error {
	before, err := s.cpuTimes()
	if err != nil {
		return err
	}
	r.SinceBoot = shares(procfs.CPUStat{}, before.CPUTotal)
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after, err := s.cpuTimes()
	if err != nil {
		return err
	}
	r.CPUs = map[int]measure.CPUShare{}
	for c, now := range after.CPU {
		if was, there := before.CPU[c]; there {
			r.CPUs[int(c)] = shares(was, now)
		}
	}
	return nil
}

// errNoStat means that a kernel's /proc/stat counts no time.
var errNoStat = errors.New("/proc/stat has no times of CPUs")

func (s Source) cpuTimes() (procfs.Stat, error) {
	proc, err := s.proc()
	if err != nil {
		return procfs.Stat{}, err
	}
	st, err := proc.Stat()
	if err == nil && len(st.CPU) == 0 {
		err = errNoStat
	}
	return st, err
}

func shares(a, b procfs.CPUStat) measure.CPUShare {
	work := b.User - a.User + b.Nice - a.Nice + b.System - a.System + b.IRQ - a.IRQ + b.SoftIRQ - a.SoftIRQ
	steal := b.Steal - a.Steal
	all := work + steal + b.Idle - a.Idle + b.Iowait - a.Iowait
	if all <= 0 {
		return measure.CPUShare{}
	}
	return measure.CPUShare{Busy: work / all, SoftIRQ: (b.SoftIRQ - a.SoftIRQ) / all, Steal: steal / all}
}

// wallClock asks the kernel how the wall clock is kept; it changes nothing.
func wallClock() (measure.ClockReading, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return measure.ClockReading{}, fmt.Errorf("adjtimex: %w", err)
	}
	offset := t.Offset * 1000 // µs, unless the status says ns
	if t.Status&unix.STA_NANO != 0 {
		offset = t.Offset
	}
	return measure.ClockReading{
		Synchronised: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0,
		MaxErrorNS:   t.Maxerror * 1000, OffsetNS: offset,
	}, nil
}

// noPMU is why cycles of this process cannot be counted; empty if they can.
func noPMU() string {
	c, err := perf.OpenCounter(perf.Cycles, perf.UserOnly, 0, false)
	if err != nil {
		return perf.Reason(err)
	}
	c.Close()
	return ""
}

// routeTo asks the kernel which way packets to an address take.
func routeTo(addr string) (measure.Route, error) {
	r := measure.Route{To: addr}
	ip := net.ParseIP(addr)
	if ip == nil {
		return r, fmt.Errorf("data address %q is no IP address", addr)
	}
	routes, err := netlink.RouteGet(ip)
	if err != nil {
		return r, fmt.Errorf("route to %s: %w", addr, err)
	}
	if len(routes) == 0 {
		return r, fmt.Errorf("route to %s: the kernel names none", addr)
	}
	best := routes[0]
	link, err := netlink.LinkByIndex(best.LinkIndex)
	if err != nil {
		return r, fmt.Errorf("route to %s: interface %d: %w", addr, best.LinkIndex, err)
	}
	r.Device, r.Local = link.Attrs().Name, best.Type == unix.RTN_LOCAL
	if best.Gw != nil {
		r.Gateway = best.Gw.String()
	}
	if best.Src != nil {
		r.Source = best.Src.String()
	}
	return r, nil
}

// StolenTime is the time that the hypervisor has taken from CPUs since boot.
func StolenTime(cpus []int) (time.Duration, error) {
	st, err := Here().cpuTimes()
	if err != nil {
		return 0, err
	}
	var seconds float64
	for _, c := range cpus {
		t, there := st.CPU[int64(c)]
		if !there {
			return 0, fmt.Errorf("/proc/stat has no CPU %d: %w", c, fs.ErrNotExist)
		}
		seconds += t.Steal
	}
	return time.Duration(seconds * 1e9), nil
}
