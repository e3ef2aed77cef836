//go:build lab

package interop

import (
	"fmt"
	"testing"
	"time"

	"hdbench/internal/probe"
	"hdbench/internal/transport"
	"hdbench/internal/units"
	"hdbench/loadgen"
	"hdbench/relay"
)

// A million packets through each of the relay's encrypted transports, from a
// client with its own records and from one with the kernel's: every payload is
// checked, nothing is lost, and the kernel has found nothing to complain of.
func TestAMillionPackets(t *testing.T) {
	for _, k := range []transport.Kind{transport.KTLS, transport.TLS} {
		for client, packets := range map[transport.Kind]uint64{
			transport.TLS:  900_000,
			transport.KTLS: 100_000, // each of its records takes a system call
		} {
			t.Run(fmt.Sprintf("relay %s, client %s", k, client), func(t *testing.T) {
				before, err := probe.KernelTLS()
				if err != nil || before == nil {
					t.Fatalf("kernel TLS counters: %v, %v", before, err)
				}
				s, _ := startRelay(t, over(t, k, relay.Config{Workers: 1}))
				var delivered uint64
				began := time.Now()
				for delivered < packets {
					r := load(t, s.Addr().String(), func(c *loadgen.Config) {
						c.Transport, c.Payload, c.Rate = client, 200, units.Max
						c.Measure, c.Drain = 3*time.Second, 30*time.Second
					})
					if r.faults != 0 || r.undrained != 0 || r.delivered != r.sent || r.delivered == 0 {
						t.Fatalf("%+v", r)
					}
					delivered += r.delivered
				}
				after, err := probe.KernelTLS()
				if err != nil {
					t.Fatal(err)
				}
				after.Subtract(before)
				kernels := 0
				for _, side := range []transport.Kind{k, client} {
					if side == transport.KTLS {
						kernels++
					}
				}
				if (after.TxSoftware+after.TxDevice > 0) != (kernels > 0) || after.DecryptErrors != 0 {
					t.Errorf("the kernel counts %+v", *after)
				}
				t.Logf("%d packets in %v, kernel %+v", delivered, time.Since(began).Round(time.Millisecond), *after)
			})
		}
	}
}
