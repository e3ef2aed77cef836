package fleet

import (
	"context"
	"encoding/json"
	"math"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"hdbench/internal/measure"
	"hdbench/internal/probe"
)

// startPlayed starts this binary as a relay that plays a part.
func startPlayed(t *testing.T, h *Host, part, command string) *Relay {
	t.Helper()
	t.Setenv("FLEET_TEST_PLAYS", part)
	r, err := h.StartRelay(context.Background(), RelaySpec{Kind: KindExternal, Host: "127.0.0.1", Command: command})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// awaitWindow measures windows until one is as wanted.
func awaitWindow(t *testing.T, h *Host, r *Relay, wanted func(Window) bool) Window {
	t.Helper()
	for start := time.Now(); ; {
		now := h.fleet.Now()
		w, err := r.Window(context.Background(), now+200e6, now+400e6)
		if err != nil {
			t.Fatal(err)
		}
		if wanted(w) {
			return w
		}
		if time.Since(start) > patience {
			b, _ := json.Marshal(w)
			t.Fatalf("no window is as it should be; the last: %s", b)
		}
	}
}

func TestWindowTellsWhomTheRelayWaitedFor(t *testing.T) {
	_, h := startTestFleet(t)
	for name, c := range map[string]struct {
		part   string
		client func(net.Conn)
		wanted func(*measure.SocketTimes) bool
	}{
		"a client that does not read": {"shouter", func(net.Conn) {}, func(s *measure.SocketTimes) bool {
			// It waited for the client all the time; the kernel counts in jiffies.
			return s.RwndLimitedNS > 1e8 && s.BusyNS >= s.RwndLimitedNS && s.UnsentBytes > 0 && s.UnreadBytes == 0
		}},
		"a relay that does not read": {"deaf", func(c net.Conn) {
			b := make([]byte, 1<<20)
			for {
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}, func(s *measure.SocketTimes) bool {
			return s.UnreadBytes > 0 && s.RwndLimitedNS == 0 && s.BusyNS == 0 && s.UnsentBytes == 0
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := startPlayed(t, h, c.part, os.Args[0]+" {addr}")
			defer r.Stop(context.Background())
			conn, err := net.Dial("tcp", r.Info.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go c.client(conn)
			awaitWindow(t, h, r, func(w Window) bool {
				return w.Sockets.NA == "" && w.Sockets.Connections == 1 && w.Sockets.Seconds > 0.1 && c.wanted(w.Sockets)
			})
		})
	}
}

func TestWindowTellsTheThreadsApart(t *testing.T) {
	_, h := startTestFleet(t)
	r := startPlayed(t, h, "spinner", os.Args[0]+" {addr}")
	defer r.Stop(context.Background())
	w := awaitWindow(t, h, r, func(w Window) bool { return len(w.Threads) > 1 && w.Threads[0].CPU > 0 })
	busiest := w.Threads[0]
	for _, th := range w.Threads {
		// The kernel brings a running thread's time up to date at its tick.
		if th.Name == "" || th.CPU > busiest.CPU || th.CPU < 0 || th.CPU > 1.5 {
			t.Errorf("%+v among %+v", th, w.Threads)
		}
		if _, err := os.Stat("/proc/self/schedstat"); err == nil && (th.RunDelay == nil || *th.RunDelay < 0) {
			// One that has never run is not told apart from a kernel that does not tell.
			if th.CPU > 0 {
				t.Errorf("thread %+v: no run delay, and the kernel has schedstat", th)
			}
		}
	}
}

func TestSocketsThatCannotBeReadSayWhy(t *testing.T) {
	now := func() int64 { return 1e9 }
	for name, c := range map[string]struct {
		addr string
		w    windowRequest
		ctx  func() context.Context
		why  string
	}{
		"no address":     {"nowhere", windowRequest{BeginNS: 1e9, EndNS: 60e9}, context.Background, "nowhere"},
		"it is past":     {"127.0.0.1:1", windowRequest{BeginNS: 0, EndNS: 1e9 - 1}, context.Background, "after the window"},
		"no time for it": {"127.0.0.1:1", windowRequest{BeginNS: 1e9, EndNS: 1e9 - 1}, context.Background, "too long for a window"},
		"no connection":  {"127.0.0.1:1", windowRequest{BeginNS: 1e9, EndNS: 1e9 + 5e6}, context.Background, "no connection at 127.0.0.1:1"},
		"the relay ended": {"127.0.0.1:1", windowRequest{BeginNS: 100e9, EndNS: 160e9}, func() context.Context {
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(os.ErrProcessDone)
			return ctx
		}, os.ErrProcessDone.Error()},
	} {
		s := <-watchSockets(c.ctx(), now, c.addr, c.w)
		if !strings.Contains(s.NA, c.why) || s.Connections != 0 {
			t.Errorf("%s: %+v, want the reason %q", name, s, c.why)
		}
	}
}

func TestConnectionsThatCameOrWentAreNotCounted(t *testing.T) {
	kept := func(ms time.Duration, bytes uint32) probe.Socket {
		d := ms * time.Millisecond
		return probe.Socket{Busy: 3 * d, RwndLimited: 2 * d, SndbufLimited: d, Unread: bytes, Unsent: 2 * bytes}
	}
	begin := socketReading{1e9, map[probe.SocketCookie]probe.Socket{{1}: kept(5, 100), {2}: kept(7, 0), {3}: kept(1000, 9999)}}
	end := socketReading{3e9, map[probe.SocketCookie]probe.Socket{{1}: kept(25, 300), {2}: kept(10, 50), {4}: kept(1000, 9999)}}
	want := &measure.SocketTimes{Connections: 2, Seconds: 2, BusyNS: 69e6, RwndLimitedNS: 46e6, SndbufLimitedNS: 23e6, UnreadBytes: 225, UnsentBytes: 450}
	if got := socketsBetween(begin, end); *got != *want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestThreadsOfAWindow(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	begin := map[int]probe.ThreadUsage{
		1: {Name: "main", CPU: ms(100), RunDelay: ms(10)},
		2: {Name: "ended", CPU: ms(100)},
		3: {Name: "other", CPU: ms(500)}, // its number is another's at the end
		6: {Name: "ticks", CPU: ms(10), NoRunDelay: true},
	}
	end := map[int]probe.ThreadUsage{
		1: {Name: "main", CPU: ms(300), RunDelay: ms(110)},
		3: {Name: "heir", CPU: ms(50), RunDelay: ms(5)},
		5: {Name: "new", CPU: ms(900), RunDelay: ms(50)},
		6: {Name: "ticks", CPU: ms(20), NoRunDelay: true},
	}
	d := func(v float64) *float64 { return &v }
	want := []measure.ThreadTime{
		{Name: "new", CPU: 0.9, RunDelay: d(0.05)}, {Name: "main", CPU: 0.2, RunDelay: d(0.1)},
		{Name: "heir", CPU: 0.05, RunDelay: d(0.005)}, {Name: "ticks", CPU: 0.01},
	}
	got := threadTimes(begin, end, time.Second)
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
	if len(got) != len(want) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	for i, g := range got {
		w := want[i]
		if g.Name != w.Name || !near(g.CPU, w.CPU) || (g.RunDelay == nil) != (w.RunDelay == nil) || g.RunDelay != nil && !near(*g.RunDelay, *w.RunDelay) {
			t.Errorf("%d: %+v, want %+v", i, g, w)
		}
	}
	for tid := range 3 * measure.MaxThreadTimes {
		end[100+tid] = probe.ThreadUsage{Name: "idle"}
	}
	if got := threadTimes(begin, end, time.Second); len(got) != measure.MaxThreadTimes || got[0].Name != "new" {
		t.Errorf("%d threads, the first %+v", len(got), got[0])
	}
	if got := threadTimes(begin, end, 0); got != nil {
		t.Errorf("shares of no time: %+v", got)
	}
}

func TestThrottleIsOfTheQuotaThatTookMost(t *testing.T) {
	for _, c := range []struct {
		begin, end []probe.Throttled
		want       measure.Throttle
	}{
		{nil, nil, measure.Throttle{}},
		{[]probe.Throttled{{Time: 1e9, Periods: 3}, {Time: 5e9, Periods: 9}}, []probe.Throttled{{Time: 2e9, Periods: 5}, {Time: 5e8 + 5e9, Periods: 29}}, measure.Throttle{Seconds: 1, Periods: 2}},
		{[]probe.Throttled{{}, {}}, []probe.Throttled{{}, {Periods: 1}}, measure.Throttle{Periods: 1}},
		{[]probe.Throttled{{Time: 2}}, []probe.Throttled{{Time: 1}}, measure.Throttle{NA: "cpu.stat: the counter went backwards"}},
	} {
		if got := mostThrottled(c.begin, c.end); *got != c.want {
			t.Errorf("%+v, want %+v", *got, c.want)
		}
	}
}

// What an agent says of a window comes to the record as it was.
func TestEvidenceOfAWindowIsKeptInJSON(t *testing.T) {
	delay := 0.0
	r := measure.Relay{
		Sockets:  &measure.SocketTimes{Connections: 2, Seconds: 1.5, BusyNS: 3, RwndLimitedNS: 2, SndbufLimitedNS: 1, UnreadBytes: 7, UnsentBytes: 8},
		Threads:  []measure.ThreadTime{{Name: "a", CPU: 0.5, RunDelay: &delay}, {Name: "b"}},
		Throttle: &measure.Throttle{NA: "why"},
	}
	b, err := json.Marshal(Window{Sockets: r.Sockets, Threads: r.Threads, Throttle: r.Throttle})
	if err != nil {
		t.Fatal(err)
	}
	var w Window
	if err := json.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	b, err = json.Marshal(measure.Relay{Sockets: w.Sockets, Threads: w.Threads, Throttle: w.Throttle})
	if err != nil {
		t.Fatal(err)
	}
	var got measure.Relay
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%s, %v; want %+v", b, err, r)
	}
	var old measure.Relay
	if err := json.Unmarshal([]byte(`{"version":"x"}`), &old); err != nil || old.Sockets != nil || old.Threads != nil || old.Throttle != nil {
		t.Errorf("a record of before: %+v, %v", old, err)
	}
}
