package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hdbench/internal/lab/byhand"
	"hdbench/internal/lab/hosts"
	"hdbench/internal/units"
	"hdbench/results"
)

// The shares of a CPU that the quotas leave, and what the links are like.
const (
	relayQuota  = 0.20
	clientQuota = 0.25

	lineRate   = 300 * units.Mbps
	slowDelay  = 5 * time.Millisecond // one way
	slowBuffer = "16KiB"
)

// plant is a cause that is planted, and what a sweep is to say of it.
type plant struct {
	name, what string
	want       results.Cause
	sweep      func(b *bench) (swept, error)
}

// swept is a sweep to be made.
type swept struct {
	scenario string
	binary   string      // whose sweep it is; empty: bin/hdbench
	shell    string      // what a shell does before it becomes the sweep
	from     *hosts.Host // from where it is driven; nil: this machine
	args     []string
}

// scenario is a small one: a relay, and rates that are fixed.
func (b *bench) scenario(name, relay, load string, rates ...units.Rate) string {
	var list []string
	for _, r := range rates {
		list = append(list, roundRate(r).String())
	}
	return fmt.Sprintf(`name: %s
warmup: 300ms
measure: 700ms
runs: 2
cpus: {relay: "%s", client: "%s"}
load: {pairs: 10, payload: 1400B%s, rate: [%s]}
relays:
  - {%s, transport: tcp, workers: 1}
`, name, b.relayCPU, b.clientCPU, load, strings.Join(list, ", "), relay)
}

func roundRate(r units.Rate) units.Rate {
	v := float64(r)
	scale := math.Pow(10, math.Floor(math.Log10(v))-1)
	return units.Rate(math.Round(v/scale) * scale)
}

// external is an external relay whose command is a script of this text, which ends
// in an exec of the relay.
func (b *bench) external(name, text string) (string, error) {
	path := filepath.Join(b.dir, name+".sh")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nset -e\n"+text+"\n"), 0o755); err != nil {
		return "", err
	}
	return fmt.Sprintf("relay: %s, command: \"%s {addr} {workers} {cpus}\"", name, path), nil
}

// The scripts' last lines.
func (b *bench) execHD() string {
	return "exec " + b.hdbench + ` relay --listen "$1" --workers "$2" --cpus "$3"`
}

func (b *bench) execDerper() string {
	// The key's folder is the relay's own, and goes with the bench's.
	return "dir=$(mktemp -d " + b.dir + "/derper-XXXXXX)\nexport GOMAXPROCS=\"$2\"\nexec " +
		b.derper + ` -c "$dir/key" -a "$1" -stun=false -http-port=-1`
}

var plants = []plant{
	{"relay under a quota", fmt.Sprintf("hd in a cgroup with %.0f %% of a CPU", 100*relayQuota), results.RelayCPU, func(b *bench) (swept, error) {
		r, err := b.external("quota", b.group.into()+"\n"+b.execHD())
		if err == nil {
			err = b.group.limit(relayQuota)
		}
		return swept{scenario: b.scenario("relay_quota", r, "", b.hd/50, b.hd*2/5, b.hd*3/5)}, err
	}},
	{"short send queue", "derper with a send queue of 4 packets, bursts of 32, half its knee at most", results.SendQueue, func(b *bench) (swept, error) {
		r, err := b.external("shortqueue", "export TS_DEBUG_DERP_PER_CLIENT_SEND_QUEUE_DEPTH=4\n"+b.execDerper())
		return swept{scenario: b.scenario("send_queue", r, ", burst: 32", b.ts/20, b.ts/5, b.ts/3)}, err
	}},
	{"small buffers, slow link", fmt.Sprintf("hd with socket buffers of %s over a link with %v each way", slowBuffer, slowDelay), results.BackPressure, func(b *bench) (swept, error) {
		return swept{
			scenario: b.scenario("back_pressure", "relay: hd, socket-buffer: "+slowBuffer, "", 20*units.Mbps, 400*units.Mbps, 600*units.Mbps),
			from:     b.lab.Host("client"), args: []string{"--inventory", "slow.yaml"},
		}, nil
	}},
	{"client under a quota", fmt.Sprintf("the client in a cgroup with %.0f %% of a CPU, hd outside of it", 100*clientQuota), results.ByClient, func(b *bench) (swept, error) {
		r, err := b.external("free", b.group.back()+"\n"+b.execHD())
		if err == nil {
			err = b.group.limit(clientQuota)
		}
		return swept{scenario: b.scenario("client_quota", r, "", b.hd/50, b.hd/2, b.hd*7/10), shell: b.group.into()}, err
	}},
	{"slow receivers", "a client that sleeps 4 ms before each read", results.ByClient, func(b *bench) (swept, error) {
		r, err := b.external("slowread", b.execHD())
		return swept{scenario: b.scenario("slow_receivers", r, "", b.hd/100, b.hd/2, b.hd*7/10), binary: b.slow}, err
	}},
	{"line of 300 Mbit/s", "hd behind a link shaped by tbf", results.ByLine, func(b *bench) (swept, error) {
		return swept{
			scenario: b.scenario("line", "relay: hd", "", 50*units.Mbps, 2*lineRate, 3*lineRate),
			from:     b.lab.Host("client"), args: []string{"--inventory", "line.yaml"},
		}, nil
	}},
	{"half the knee", "hd at rates that end at half of what it carries", results.NotReached, func(b *bench) (swept, error) {
		return swept{scenario: b.scenario("not_reached", "relay: hd", "", b.hd/4, b.hd/2)}, nil
	}},
	{"nothing", "derper below, at and above its knee", results.RelayCPU, func(b *bench) (swept, error) {
		return swept{scenario: b.scenario("nothing", "relay: derper", "", b.ts/4, b.ts*6/5, b.ts*8/5), args: []string{"--derper", b.derper}}, nil
	}},
}

// run makes the sweep and returns its report and its records.
func (b *bench) run(ctx context.Context, s swept) (*byhand.Report, *results.Set, error) {
	dir, err := os.MkdirTemp(b.dir, "sweep-*")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	file, out := filepath.Join(dir, "s.yaml"), filepath.Join(dir, "out")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if s.from != nil {
		const there = "/tmp/planted"
		here := s.from.Path(there)
		if err := os.RemoveAll(here); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(s.from.Path("/tmp/s.yaml"), []byte(s.scenario), 0o644); err != nil {
			return nil, nil, err
		}
		argv := append([]string{"/tmp/hdbench", "sweep", "s.yaml", "--out", there}, s.args...)
		if _, err := s.from.Run(ctx, hosts.Command{Dir: "/tmp", Args: argv}); err != nil {
			return nil, nil, err
		}
		out = here
	} else {
		if err := os.WriteFile(file, []byte(s.scenario), 0o644); err != nil {
			return nil, nil, err
		}
		binary := s.binary
		if binary == "" {
			binary = b.hdbench
		}
		argv := append([]string{binary, "sweep", file, "--out", out}, s.args...)
		if s.shell != "" {
			argv = append([]string{"sh", "-c", s.shell + ` && exec "$@"`, "sh"}, argv...)
		}
		if err := sweepInTurn(ctx, argv); err != nil {
			return nil, nil, err
		}
	}
	r, err := byhand.ReadReport(ctx, b.hdbench, out)
	if err != nil {
		return nil, nil, err
	}
	set, err := results.Open(out)
	return r, set, err
}

// hostInUse is the exit code of a sweep that could not have its hosts.
const hostInUse = 5

// sweepInTurn runs a sweep; while another one has this host, it waits for its turn.
func sweepInTurn(ctx context.Context, argv []string) error {
	for {
		_, err := byhand.Run(ctx, nil, argv...)
		var exit *byhand.ExitError
		if !errors.As(err, &exit) || exit.Code != hostInUse || !strings.Contains(exit.Said, "in use by another sweep") {
			return err
		}
		say("another sweep has this host: waiting")
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Second):
		}
	}
}
