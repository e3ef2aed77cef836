package doctor

import (
	"fmt"
	"slices"
	"strings"

	"hdbench/internal/cpu"
	"hdbench/internal/measure"
)

// linkRoom is how much faster than the payload a link must be: DERP's, TCP's and
// Ethernet's headers take 4 to 7 % with payloads of 1400 bytes.
const linkRoom = 1.1

// pacers are the congestion controls that pace every packet they send.
var pacers = []string{"bbr", "bbr1", "bbr2", "bbr3"}

func congestion(p *patient) finding {
	have := p.host.Congestion
	switch {
	case have == "":
		return na("%s", p.gone("kernel.sysctls.net.ipv4.tcp_congestion_control"))
	case p.Congestion:
		return ok("%s, but the scenario chooses its own", have)
	case slices.Contains(pacers, have):
		mend := "sysctl -w net.ipv4.tcp_congestion_control=cubic, or choose one in the scenario (congestion)"
		if there := p.f.Kernel.Sysctls["net.ipv4.tcp_available_congestion_control"]; there != "" && !slices.Contains(strings.Fields(there), "cubic") {
			mend = "modprobe tcp_cubic; " + mend
		}
		return warn(mend, "%s is the default", have)
	}
	return ok("%s", have)
}

// dataNIC is the interface that traffic takes; nil if it is loopback, or not known.
func (p *patient) dataNIC() *measure.NIC {
	to := p.now.Route
	i := slices.IndexFunc(p.f.NICs, func(n measure.NIC) bool {
		if !to.Local {
			return n.Name == to.Device
		}
		// The address is the host's own: traffic from elsewhere comes in where it is.
		return p.Hosts > 1 && slices.ContainsFunc(n.Addresses, func(a string) bool { return strings.HasPrefix(a, to.To+"/") })
	})
	if i < 0 {
		return nil
	}
	return &p.f.NICs[i]
}

// noNIC is why there is no interface to judge; empty if there is one.
func (p *patient) noNIC() string {
	switch {
	case p.unread("route") != "":
		return p.unread("route")
	case p.now.Route.Local && p.Hosts <= 1:
		return "traffic to " + p.now.Route.To + " stays on this host"
	case p.dataNIC() != nil:
		return ""
	case p.gone("nics") != "":
		return p.gone("nics")
	}
	return fmt.Sprintf("the interface of %s is not among those that are up", p.now.Route.To)
}

func route(p *patient) finding {
	to := p.now.Route
	if why := p.unread("route"); why != "" {
		return fail("give the address of the link between the hosts (--data-addr)", "%s", why)
	}
	const mend = "choose the address of the direct link (--data-addr)"
	nic := p.dataNIC()
	switch {
	case to.Local && p.Hosts <= 1:
		return ok("%s is this host's own: traffic goes over loopback", to.To)
	case to.Local && p.Relay:
		if nic == nil {
			return fail(mend, "%s is on no interface that other hosts reach", to.To)
		}
		return ok("%s is on %s", to.To, nic.Name)
	case to.Local:
		return fail(mend, "%s is this client's own address, not the relay's", to.To)
	case to.Gateway != "":
		return warn(mend, "to %s by %s over a router, %s", to.To, to.Device, to.Gateway)
	case nic != nil && !nic.Physical:
		return warn(mend, "to %s by %s, which is no device (bridge, bond, VLAN, tunnel)", to.To, to.Device)
	}
	return ok("to %s by %s", to.To, to.Device)
}

func nicSpeed(p *patient) finding {
	if why := p.noNIC(); why != "" {
		return na("%s", why)
	}
	nic := p.dataNIC()
	if nic.Mbps == 0 {
		return na("%s: %s", nic.Name, p.gone("nics."+nic.Name+".speed_mbps"))
	}
	if p.Rate <= 0 {
		return na("%s has %d Mbit/s; %s", nic.Name, nic.Mbps, p.RateWhy)
	}
	link := float64(nic.Mbps) * 1e6
	text := fmt.Sprintf("%s has %d Mbit/s, up to %v are offered", nic.Name, nic.Mbps, p.Rate)
	const mend = "offer less, or choose a faster link (--data-addr)"
	switch {
	case link < float64(p.Rate):
		return fail(mend, "%s", text)
	case link < linkRoom*float64(p.Rate):
		return warn(mend, "%s: headers need %.0f %% more", text, 100*(linkRoom-1))
	}
	return ok("%s", text)
}

func irqs(p *patient) finding {
	if why := p.noNIC(); why != "" {
		return na("%s", why)
	}
	nic := p.dataNIC()
	if !p.Relay {
		return na("the relay is on another host")
	}
	if why := p.gone("nics." + nic.Name + ".irqs"); why != "" {
		return na("%s", why)
	}
	on := cpu.Of()
	for _, q := range nic.IRQs {
		if set, err := cpu.Parse(q.CPUs); err == nil {
			on = on.Union(set.Intersection(p.RelayCPUs))
		}
	}
	if len(nic.IRQs) == 0 {
		return na("%s has no interrupts of its own", nic.Name)
	}
	if !on.IsEmpty() {
		return warn("stop irqbalance and write other CPUs to /proc/irq/N/smp_affinity_list", "%s is served on the relay's CPU %s", nic.Name, on)
	}
	return ok("%s is not served on the relay's CPUs", nic.Name)
}
