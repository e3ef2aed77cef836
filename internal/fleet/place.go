package fleet

import (
	"fmt"
	"os"
	"strings"

	"hdbench/internal/mono"
)

// place is what a host shares with others. Two agents may be on one machine, and
// still have networks or clocks of their own.
type place struct {
	Machine string `json:"machine"` // the kernel's boot: CPUs and memory are shared
	Network string `json:"network"` // and of it the network namespace: loopback is shared
	Clock   string `json:"clock"`   // CLOCK_MONOTONIC's zero
}

func thisPlace(clock mono.Clock) (place, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return place{}, fmt.Errorf("which machine this is: %w", err)
	}
	p := place{Machine: strings.TrimSpace(string(boot))}
	net, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return place{}, fmt.Errorf("which network this host has: %w", err)
	}
	p.Network = p.Machine + " " + net
	p.Clock, err = clock.Zero()
	return p, err
}

// SameMachine reports whether two agents share CPUs and memory.
func (h *Host) SameMachine(o *Host) bool { return h.reply().Place.Machine == o.reply().Place.Machine }

// SameNetwork reports whether traffic between two agents goes over loopback.
func (h *Host) SameNetwork(o *Host) bool { return h.reply().Place.Network == o.reply().Place.Network }

// SameClock reports whether two agents read one and the same CLOCK_MONOTONIC.
func (h *Host) SameClock(o *Host) bool { return h.reply().Place.Clock == o.reply().Place.Clock }

// machine is the machine's name in records: enough to tell it from others.
func (h *Host) machine() string {
	m := h.reply().Place.Machine
	return m[:min(8, len(m))]
}
