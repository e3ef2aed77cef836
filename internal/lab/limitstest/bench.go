package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hdbench/internal/cpu"
	"hdbench/internal/lab/byhand"
	"hdbench/internal/lab/hosts"
	"hdbench/internal/units"
)

// bench is where causes are planted: binaries, CPUs, a cgroup, hosts, and what the
// relays carry here.
type bench struct {
	dir                   string
	hdbench, slow, derper string
	relayCPU, clientCPU   string
	hd, ts                units.Rate // carried over tcp, by hand
	group                 *group
	lab                   *hosts.Lab
	link                  *slowLink
	keep                  string // folder for trials; empty: none are kept
}

func newBench(ctx context.Context, hdbench, slow, derper string) (_ *bench, err error) {
	b := &bench{}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	for _, f := range []struct {
		to   *string
		from string
	}{{&b.hdbench, hdbench}, {&b.slow, slow}, {&b.derper, derper}} {
		if *f.to, err = filepath.Abs(f.from); err != nil {
			return nil, err
		}
		if _, err = os.Stat(*f.to); err != nil {
			return nil, err
		}
	}
	cpus, err := cpu.Available()
	if err != nil {
		return nil, err
	}
	list := cpus.List()
	if len(list) < 2 {
		return nil, errors.New("a relay and a client want a CPU each, and there is one")
	}
	b.relayCPU, b.clientCPU = strconv.Itoa(list[0]), strconv.Itoa(list[1])
	if b.dir, err = os.MkdirTemp("", "hdbench-limits-*"); err != nil {
		return nil, err
	}
	if b.group, err = newGroup(); err != nil {
		return nil, err
	}
	return b, nil
}

// measureTries is how often a relay is measured that carried nothing.
const measureTries = 5

// measure finds what the relays carry here.
func (b *bench) measure(ctx context.Context) error {
	for _, r := range []struct {
		derper string
		to     *units.Rate
	}{{"", &b.hd}, {b.derper, &b.ts}} {
		c := byhand.Climb{
			Relay:   byhand.Relay{Hdbench: b.hdbench, Derper: r.derper, Transport: "tcp", Workers: 1, CPUs: b.relayCPU},
			Load:    byhand.Load{Hdbench: b.hdbench, Transport: "tcp", CPUs: b.clientCPU, Measure: 500 * time.Millisecond},
			Halving: 1,
		}
		for range measureTries {
			top, err := c.Run(ctx)
			if err != nil {
				return err
			}
			carried := top.Steady
			if r.derper != "" { // it may lose some packets at every rate
				carried = top.Most
			}
			if *r.to = units.Rate(carried); *r.to > 0 {
				break
			}
			say("nothing was carried by hand: is the machine busy?")
		}
		if *r.to == 0 {
			return errors.New("nothing was carried by hand")
		}
	}
	return nil
}

// connect makes the hosts and their links.
func (b *bench) connect(ctx context.Context) error {
	l, err := hosts.New(ctx, hosts.Spec{Name: "relay"}, hosts.Spec{Name: "client"})
	if err != nil {
		return err
	}
	b.lab = l
	relay, client := l.Host("relay"), l.Host("client")
	if b.link, err = newSlowLink(relay, client, slowDelay); err != nil {
		return err
	}
	if err := client.Put(b.hdbench, "/tmp/hdbench"); err != nil {
		return err
	}
	for _, h := range []struct {
		*hosts.Host
		addr, data string
	}{{relay, "10.99.0.1", relay.Data.String()}, {client, "10.99.0.2", client.Data.String()}} {
		for _, argv := range [][]string{
			{"ip", "addr", "add", h.addr + "/24", "dev", "slow"},
			{"ip", "link", "set", "slow", "mtu", strconv.Itoa(slowMTU), "txqueuelen", "1000", "up"},
			{"tc", "qdisc", "add", "dev", string(hosts.Data), "root", "tbf", "rate", fmt.Sprintf("%.0fbit", float64(lineRate)), "burst", "128kb", "latency", "20ms"},
		} {
			if _, err := h.Run(ctx, hosts.Command{Args: argv}); err != nil {
				return err
			}
		}
	}
	for name, data := range map[string]string{"slow.yaml": "10.99.0.1", "line.yaml": relay.Data.String()} {
		text := fmt.Sprintf("hosts:\n  - {ssh: root@relay, role: relay, data: %s, cpus: \"%s\"}\n  - {ssh: local, role: client, cpus: \"%s\"}\n", data, b.relayCPU, b.clientCPU)
		if err := os.WriteFile(client.Path("/tmp/"+name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) close() {
	if b.link != nil {
		b.link.close()
	}
	if b.lab != nil {
		b.lab.Close()
	}
	if b.group != nil {
		b.group.remove()
	}
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}
