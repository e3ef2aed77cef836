//go:build labhost

package twohosts

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"hdbench/internal/lab/hosts"
	"hdbench/internal/measure"
)

// Each host is judged for what the data address makes of it, over ssh as here.
func TestDoctorOverSSH(t *testing.T) {
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"}, hosts.Spec{Name: "c1"})
	laptop, relay := l.Host("laptop"), l.Host("relay")
	install(t, laptop)
	before := states(t, l)
	e := examine(t, laptop, "--scenario", "s.yaml", "--host", "root@relay", "--host", "bench@c1", "--data-addr", relay.Data.String())
	if len(e.Hosts) != 2 {
		t.Fatalf("%d hosts", len(e.Hosts))
	}
	for i, want := range []struct{ name, role, route string }{
		{"relay", "relay", relay.Data.String() + " is on "}, {"c1", "client", "to " + relay.Data.String() + " by "},
	} {
		h := e.Hosts[i]
		if h.Name != want.name || len(h.Roles) != 1 || h.Roles[0] != want.role {
			t.Errorf("%s is %v, want %s as %s", h.Name, h.Roles, want.name, want.role)
		}
		v := verdict(t, h, "route")
		if v.Verdict == measure.Fail || v.Verdict == measure.Unknown || len(v.Value) < len(want.route) || v.Value[:len(want.route)] != want.route {
			t.Errorf("%s: route: %+v, want %s…", h.Name, v, want.route)
		}
		if v := verdict(t, h, "shared-cpus"); v.Verdict != measure.Fit {
			t.Errorf("%s: %+v", h.Name, v)
		}
	}
	// Without a link between them each is a host by itself.
	for _, h := range examine(t, laptop, "--scenario", "s.yaml", "--host", "root@relay", "--host", "bench@c1").Hosts {
		if len(h.Roles) != 2 || verdict(t, h, "route").Verdict != measure.Fit {
			t.Errorf("%s by itself: %v, %+v", h.Name, h.Roles, verdict(t, h, "route"))
		}
	}
	nothingLeft(t, l, before)
}

func examine(t *testing.T, h *hosts.Host, args ...string) *measure.Examination {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := h.Start(hosts.Command{User: hosts.User, Dir: "/tmp", Args: append([]string{"/tmp/hdbench", "doctor", "--format", "json"}, args...)})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Ended():
	case <-ctx.Done():
		p.Kill()
		t.Fatalf("doctor does not end: %s", p.Output())
	}
	var file struct{ Examinations []*measure.Examination }
	if err := json.Unmarshal([]byte(p.Stdout()), &file); err != nil || p.ExitCode() != 0 || len(file.Examinations) != 1 {
		t.Fatalf("exit code %d, %v: %s", p.ExitCode(), err, p.Output())
	}
	return file.Examinations[0]
}

func verdict(t *testing.T, h measure.HostExamination, check string) measure.Verdict {
	t.Helper()
	for _, v := range h.Verdicts {
		if v.Check == check {
			return v
		}
	}
	t.Fatalf("%s: no verdict of %s", h.Name, check)
	return measure.Verdict{}
}
