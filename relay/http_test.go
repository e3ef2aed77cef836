package relay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

func TestHTTPSurface(t *testing.T) {
	s := start(t, Config{})
	base := "http://" + s.Addr().String()
	for _, c := range []struct {
		method, path string
		status       int
		header, want string
	}{
		{"GET", "/derp/probe", 200, "Access-Control-Allow-Origin", "*"},
		{"HEAD", "/derp/latency-check", 200, "Access-Control-Allow-Origin", "*"},
		{"POST", "/derp/probe", 405, "", ""},
		{"GET", "/generate_204", 204, "X-Tailscale-Response", "response abc-1"},
		{"GET", "/derp", 426, "", ""},
		{"GET", "/", 200, "", ""},
		{"GET", "/nothing", 404, "", ""},
	} {
		req, err := http.NewRequest(c.method, base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Tailscale-Challenge", "abc-1")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status || c.header != "" && resp.Header.Get(c.header) != c.want {
			t.Errorf("%s %s: %s, %v", c.method, c.path, resp.Status, resp.Header)
		}
	}
	eventually(t, "they are counted", func() bool { return snapshot(t, s).Logins.Other == 7 })
}

func TestMetrics(t *testing.T) {
	s := start(t, Config{Workers: 2})
	a, b := dial(t, s), dial(t, s)
	a.send(b.key, []byte("x"))
	b.expect(a.key, []byte("x"))
	checkBalance(t, s)
	web := httptest.NewServer(s.MetricsHandler())
	defer web.Close()
	get := func(path string) string {
		resp, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s, %v", path, resp.Status, err)
		}
		return string(text)
	}
	text := get("/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, want := range []string{
		`hdbench_relay_info{on_full="pause",transport="tcp",workers="2"} 1`,
		`hdbench_relay_connections_total{result="accepted"} 2`,
		`hdbench_relay_dropped_packets_total{reason="queue_head",worker="0"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if snap := get("/snapshot"); !strings.Contains(snap, `"received_packets":1`) {
		t.Errorf("snapshot: %s", snap)
	}
}
