package fleet

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hdbench/internal/line"
)

func TestLineCheckLooksAtEveryClientBothWays(t *testing.T) {
	_, hosts := startTestAgents(t, "r", "c1", "c2")
	l, err := CheckLine(t.Context(), hosts[0], "127.0.0.1", hosts[1:])
	if err != nil {
		t.Fatal(err)
	}
	type look struct {
		client            string
		toRelay, together bool
		streams           int
	}
	seen := map[look]int{}
	measured := true
	for _, r := range l.Runs {
		seen[look{r.Client, r.ToRelay, r.Together, r.Streams}]++
		if strings.Contains(r.NA, line.ErrBrief.Error()) {
			measured = false // which a look on a busy machine has to say
			continue
		}
		if r.Bps <= 0 || r.MSS <= 0 || r.Congestion == "" {
			t.Errorf("%+v", r)
		}
	}
	for _, c := range []string{"c1", "c2"} {
		for _, to := range []bool{true, false} {
			for _, k := range []look{{c, to, false, 1}, {c, to, false, 8}, {c, to, true, 8}} {
				if seen[k] != 1 {
					t.Errorf("%+v was looked at %d times", k, seen[k])
				}
			}
		}
	}
	if len(l.Runs) != 12 || measured && (l.Together(true) <= 0 || l.Of("c2", false) <= 0) {
		t.Errorf("%d looks, together %v, of c2 %v", len(l.Runs), l.Together(true), l.Of("c2", false))
	}
}

func TestLineCheckThatCannotBeMade(t *testing.T) {
	_, hosts := startTestAgents(t, "r", "c1")
	if _, err := CheckLine(t.Context(), hosts[0], "192.0.2.1", hosts[1:]); err == nil || !strings.Contains(err.Error(), "agent r: listen for the line check") {
		t.Errorf("at an address of nobody's: %v", err)
	}
	var at lineListenReply
	if err := hosts[0].call(t.Context(), verbLineListen, lineListenRequest{"127.0.0.1"}, &at); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]lineRunRequest{
		"no streams": {Addr: at.Addr, Token: at.Token, Duration: time.Second},
		"an hour":    {Addr: at.Addr, Token: at.Token, Streams: 1, Duration: time.Hour},
	} {
		var remote *RemoteError
		if err := hosts[1].call(t.Context(), verbLineRun, r, nil); !errors.As(err, &remote) || remote.Code != codeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := hosts[1].call(t.Context(), verbLineRun, lineRunRequest{Addr: at.Addr, Token: "guess", Streams: 1, Duration: time.Second}, nil); err == nil {
		t.Error("a guessed token is let in")
	}
	// When it is over nobody listens.
	if err := hosts[0].call(t.Context(), verbLineClose, struct{}{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := hosts[1].call(t.Context(), verbLineRun, lineRunRequest{Addr: at.Addr, Token: at.Token, Streams: 1, Duration: time.Second}, nil); err == nil {
		t.Error("the server is still there")
	}
}
