package relay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"hdbench/internal/derp"
	"hdbench/internal/transport"
)

// A receiver that stops reading: its own packets pile up and are dropped or held
// back as the policy says, everybody else's all arrive, and in the end every
// packet is accounted for.
func TestSlowReceiverLosesOnlyItsOwnPackets(t *testing.T) {
	overEach(t, testSlowReceiverLosesOnlyItsOwnPackets)
}

func testSlowReceiverLosesOnlyItsOwnPackets(t *testing.T, k transport.Kind) {
	for _, onFull := range OnFullPolicies() {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprint(onFull, "/", workers), func(t *testing.T) {
				s := start(t, Config{Transport: k, Workers: workers, OnFull: onFull, QueuePackets: 64, PauseLimit: time.Hour})
				src := dialAs(t, s, keyOn(t, 0, workers))
				stuck := dialAs(t, s, keyOn(t, workers-1, workers))
				src2 := dialAs(t, s, keyOn(t, 0, workers))
				good := dialAs(t, s, keyOn(t, workers-1, workers))

				data := bytes.Repeat([]byte("s"), 1400)
				flooded := make(chan struct{})
				go func() { // until the relay stops reading, or for a while
					defer close(flooded)
					src.conn.SetWriteDeadline(time.Now().Add(patience))
					for range 20_000 {
						if _, err := src.conn.Write(derp.AppendFrame(nil, derp.FrameSendPacket, append(stuck.key[:], data...))); err != nil {
							return
						}
					}
				}()
				for i := range 2000 {
					msg := binary.BigEndian.AppendUint32(nil, uint32(i))
					src2.send(good.key, msg)
					good.expect(src2.key, msg)
				}
				switch onFull {
				case Pause:
					eventually(t, "the source is paused", func() bool {
						n := uint64(0)
						for _, w := range snapshot(t, s).PerWorker {
							n += w.Pauses
						}
						return n > 0
					})
				default:
					<-flooded
				}
				// It reads on, and everything that was kept arrives. With pause that
				// is everything.
				got := 0
				if onFull == Pause {
					for ; got < 20_000; got++ {
						stuck.expect(src.key, data)
					}
				} else {
					go io.Copy(io.Discard, stuck.br)
				}
				eventually(t, "the relay has received all 22000 packets", func() bool {
					return snapshot(t, s).Totals().ReceivedPackets >= 22_000
				})
				tot := checkBalance(t, s)
				if tot.ReceivedPackets != 22_000 {
					t.Errorf("received %d packets, sent 22000", tot.ReceivedPackets)
				}
				reason := map[OnFull]string{DropHead: "queue_head", DropTail: "queue_tail"}[onFull]
				for r, n := range tot.Dropped {
					if r != reason && n > 0 {
						t.Errorf("%d packets dropped as %s", n, r)
					}
				}
				if onFull != Pause && tot.Dropped[reason] == 0 {
					t.Errorf("nothing dropped as %s: %v", reason, tot.Dropped)
				}
			})
		}
	}
}

func TestReceiverThatLeavesWithAFullQueue(t *testing.T) {
	overEach(t, testReceiverThatLeavesWithAFullQueue)
}

func testReceiverThatLeavesWithAFullQueue(t *testing.T, k transport.Kind) {
	for _, onFull := range OnFullPolicies() {
		for _, workers := range []int{1, 2} {
			s := start(t, Config{Transport: k, Workers: workers, OnFull: onFull})
			src := dialAs(t, s, keyOn(t, 0, workers))
			dst := dialAs(t, s, keyOn(t, workers-1, workers))
			other := dialAs(t, s, keyOn(t, workers-1, workers))
			data := bytes.Repeat([]byte("s"), 30_000)
			for snapshot(t, s).Totals().QueuedPackets < 10 {
				src.send(dst.key, data)
			}
			dst.conn.Close()
			// The source goes on, to somebody else.
			src.send(other.key, []byte("on"))
			other.expect(src.key, []byte("on"))
			tot := checkBalance(t, s)
			if tot.Dropped["gone_disconnected"]+tot.Dropped["write_error"] == 0 {
				t.Errorf("%s, %d workers: dropped %v", onFull, workers, tot.Dropped)
			}
		}
	}
}

func TestPingFloodWithoutReading(t *testing.T) { overEach(t, testPingFloodWithoutReading) }

func testPingFloodWithoutReading(t *testing.T, k transport.Kind) {
	s, stop := startStoppable(t, Config{Transport: k, DrainTimeout: time.Millisecond})
	c := dial(t, s)
	flood := bytes.Repeat(derp.AppendFrame(nil, derp.FramePing, make([]byte, 8)), 10_000)
	for snapshot(t, s).PerWorker[0].PongsLost == 0 {
		c.write(flood)
	}
	eventually(t, "the pings are read", func() bool {
		return snapshot(t, s).PerWorker[0].Pings%10_000 == 0
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := s.workers[0].peers[0].q.control; n > maxControl+1 { // and the Restarting frame
		t.Errorf("%d frames wait for a peer that does not read", n)
	}
}
