package fleet

import (
	"context"
	"net"
	"os"

	"hdbench/internal/cpu"
	"hdbench/internal/probe"
	"hdbench/internal/transport"
)

// host says what the agent's host is, and what the agent has.
func (a *agent) host(context.Context, struct{}) (hostReply, error) {
	r := hostReply{Version: a.cfg.Version, Limits: probe.UserLimits()}
	noKTLS := transport.Check(transport.KTLS) // which has the kernel load its module: before the look at it
	var err error
	if r.Host, err = probe.ThisHost(); err != nil {
		return r, err
	}
	if noKTLS != nil {
		r.Host.NoKTLS = noKTLS.Error()
	}
	if r.Place, err = thisPlace(a.clock); err != nil {
		return r, err
	}
	avail, err := cpu.Available()
	if err != nil {
		return r, err
	}
	for _, core := range probe.Siblings(avail) {
		r.Cores = append(r.Cores, core.String())
	}
	if r.Interfaces, err = interfaces(); err != nil {
		return r, err
	}
	for _, path := range a.cfg.Own.Binaries {
		hash, err := HashFile(path)
		if err != nil {
			return r, err
		}
		r.Binaries = append(r.Binaries, Binary{path, hash})
	}
	return r, nil
}

// interfaces are the host's, those that are up.
func interfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var up []Interface
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		in := Interface{Name: i.Name, MTU: i.MTU}
		for _, addr := range addrs {
			if ip, ok := addr.(*net.IPNet); ok {
				in.Addresses = append(in.Addresses, ip.IP.String())
			}
		}
		up = append(up, in)
	}
	return up, nil
}

func (a *agent) readClock(context.Context, struct{}) (clockReply, error) {
	return clockReply{a.clock.Now()}, nil
}

// metadata is what discovery shows.
func (a *agent) metadata() map[string]string {
	m := map[string]string{metaAgent: a.cfg.Name, metaVersion: a.cfg.Version}
	if a.cfg.NATS == nil {
		return m
	}
	m[metaRole], m[metaData], m[metaCPUs] = string(a.cfg.Meta.Role), a.cfg.Meta.Data, a.cfg.Meta.CPUs
	if name, err := os.Hostname(); err == nil {
		m[metaHost] = name
	}
	for k, v := range a.cfg.Meta.Labels {
		m[metaLabel+k] = v
	}
	return m
}
