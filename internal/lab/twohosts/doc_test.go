//go:build labhost

package twohosts

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"hdbench/internal/lab/hosts"
)

// The README's second page begins with five lines. They are tried as they are
// written, but for make, in whose place there is what it has built.
func TestFiveLines(t *testing.T) {
	lines := firstBlock(t, "../../../docs/TWO-HOSTS.md")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "make ") {
		t.Fatalf("the first block has %d lines, the first %q; want five, and make first", len(lines), lines[0])
	}
	l := room(t, hosts.Spec{Name: "laptop"}, hosts.Spec{Name: "relay"}, hosts.Spec{Name: "c1"})
	laptop := l.Host("laptop")
	if err := os.MkdirAll(laptop.Path("/root/hdbench/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{hdbench: "hdbench", derper: "derper-1.102.5"} {
		if err := laptop.Put(from, "/root/hdbench/bin/"+to); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := laptop.Run(ctx, hosts.Command{Dir: "/root/hdbench", Args: []string{"bash", "-euc", strings.Join(lines[1:], "\n")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10.88.0.11/24", "Ceiling", "× TS", "Trust: "} {
		if !strings.Contains(out, want) {
			t.Errorf("they do not print %s:\n%s", want, out)
		}
	}
	if info, err := os.Stat(laptop.Path("/root/hdbench/two-hosts.html")); err != nil || info.Size() == 0 {
		t.Errorf("no page: %v", err)
	}
	set := open(t, laptop, "/root/hdbench/two-hosts")
	checkTrials(t, set, len(set.Trials))
	if n := len(set.Trials); n < 16 {
		t.Errorf("%d records of smoke, want 16 at least", n)
	}
}

// firstBlock are the commands of a document's first block of them, without
// comments.
func firstBlock(t *testing.T, file string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "```sh\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("%s has no commands", file)
	}
	var lines []string
	for line := range strings.Lines(block) {
		line, _, _ = strings.Cut(line, " #")
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}
