package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"hdbench/internal/cpu"
	"hdbench/internal/fleet"
	"hdbench/internal/units"
	"hdbench/relay"
)

func newRelay(s *streams) *cobra.Command {
	var c relay.Config
	var metrics, onFull, certFile, keyFile string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "relay --listen ADDR",
		Short: "run the relay under test, hd",
		Long: `Run hd, a DERP relay with pinned workers.

The first line on stdout is one JSON object with the address and the DERP key;
then it accepts connections. SIGTERM or Ctrl-C drains it: peers are told to
reconnect, what is queued is sent, exit code 0.

Over tls and ktls (TLS 1.3) it shows --cert, or a certificate of its own making,
and with it the one that tells Tailscale clients its DERP key. ktls needs a
kernel with TLS; nothing falls back to tls.

A peer's throughput is bounded by twice --socket-buffer over its round trip
time. The default suits a local link; peers far away want more, or "system".`,
		Example: "  hdbench relay --listen 127.0.0.1:3340 --workers 2 --metrics 127.0.0.1:9090",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.OnFull = relay.OnFull(onFull)
			for _, name := range []string{"workers", "queue-packets", "queue-bytes", "socket-buffer", "max-peers", "pause-limit"} {
				if v := cmd.Flags().Lookup(name).Value.String(); v == "0" || v == "0B" || v == "0s" {
					if cmd.Flags().Changed(name) {
						return badInput(fmt.Errorf("relay: %s: have 0, want 1 at least", name))
					}
				}
			}
			if certFile != "" {
				pair, err := tls.LoadX509KeyPair(certFile, keyFile)
				if err != nil {
					return badInput(fmt.Errorf("relay: --cert %s, --key %s: %w", certFile, keyFile, err))
				}
				c.Certificate = &pair
			}
			if verbose {
				c.Log = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			return runRelay(cmd.Context(), s, c, metrics)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&c.Listen, "listen", "127.0.0.1:3340", "address to listen on; port 0 picks a free one")
	transportFlag(f, &c.Transport)
	f.IntVar(&c.Workers, "workers", 1, "pinned event loops")
	cpusFlag(f, &c.CPUs, "CPUs of the workers, such as 0-3; default all")
	f.StringVar(&onFull, "on-full", string(relay.Pause), fmt.Sprintf("when a send queue is full: one of %v", relay.OnFullPolicies()))
	f.IntVar(&c.QueuePackets, "queue-packets", 0, "a peer's send queue, in packets; default "+queueDefaults(func(packets, _ int) string { return strconv.Itoa(packets) }))
	bytesFlag(f, &c.QueueBytes, "queue-bytes", 0, "a peer's send queue, in bytes; default "+queueDefaults(func(_, bytes int) string { return units.Bytes(bytes).String() }))
	f.Lookup("queue-bytes").DefValue = "" // said in the usage: it depends on the policy
	f.DurationVar(&c.PauseLimit, "pause-limit", relay.DefaultPauseLimit, "how long a full receiver may keep its senders paused; then it loses packets (drop reason pause_limit)")
	f.DurationVar(&c.Moderation, "moderation", 0, "least time between two wake-ups of a worker, as a NIC's rx-usecs; 0 is off")
	c.SocketBuffer = relay.DefaultSocketBuffer
	f.Var(value[int]{&c.SocketBuffer, parseSocketBuffer, showSocketBuffer, "BYTES"}, "socket-buffer", "socket buffers of each peer, or system for autotuning")
	f.StringVar(&c.Congestion, "congestion", "", "TCP congestion control of the peers' sockets; default the system's")
	f.StringVar(&certFile, "cert", "", "file with the certificate for tls and ktls, PEM, chain included; default a self-signed one")
	f.StringVar(&keyFile, "key", "", "file with the certificate's key, PEM")
	cmd.MarkFlagsRequiredTogether("cert", "key")
	f.IntVar(&c.MaxPeers, "max-peers", relay.DefaultMaxPeers, "connections beyond which logins are refused")
	f.StringVar(&metrics, "metrics", "", "address for Prometheus metrics (/metrics) and counters as JSON (/snapshot); default none")
	f.BoolVar(&verbose, "verbose", false, "log single connections to stderr")
	return cmd
}

// queueDefaults says what a send queue's default is under each policy.
func queueDefaults(show func(packets, bytes int) string) string {
	return fmt.Sprintf("%s with pause, %s with drop-head and drop-tail", show(relay.DefaultQueue(relay.Pause)), show(relay.DefaultQueue(relay.DropHead)))
}

func parseSocketBuffer(s string) (int, error) {
	if s == "system" {
		return relay.SystemSocketBuffer, nil
	}
	b, err := units.ParseBytes(s)
	return int(b), err
}

func showSocketBuffer(n int) string {
	if n == relay.SystemSocketBuffer {
		return "system"
	}
	return units.Bytes(n).String()
}

func runRelay(ctx context.Context, s *streams, c relay.Config, metrics string) error {
	if c.CPUs.IsEmpty() {
		all, err := cpu.Available()
		if err != nil {
			return failed(fmt.Errorf("relay: %w", err))
		}
		c.CPUs = all
	}
	r, err := relay.New(c)
	if err != nil {
		return badInput(fmt.Errorf("relay: %w", err))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := fleet.RelayReady{
		Addr: r.Addr().String(), Key: r.Key().String(), Transport: string(r.Config().Transport),
		Workers: r.Config().Workers, CPUs: r.Config().CPUs.String(), PID: os.Getpid(), Version: version(),
	}
	if metrics != "" {
		ln, err := net.Listen("tcp", metrics)
		if err != nil {
			return badInput(fmt.Errorf("relay: metrics: %w", err))
		}
		ready.Metrics = ln.Addr().String()
		web := &http.Server{Handler: r.MetricsHandler()}
		go web.Serve(ln) // until the relay has drained; it ends with the process
		defer web.Close()
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx) }()
	if err := json.NewEncoder(s.out).Encode(ready); err != nil {
		cancel()
		<-served
		return failed(fmt.Errorf("relay: %w", err))
	}
	if err := <-served; err != nil {
		return failed(fmt.Errorf("relay: %w", err))
	}
	return nil
}
