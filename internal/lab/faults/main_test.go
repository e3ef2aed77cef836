//go:build labhost

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hdbench/internal/lab/natslab"
)

// Binaries under test: hdbench, the same as another version and with a clock that
// can be moved, and a nats-server.
var hdbench, otherVersion, clockShift, natsServer string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hdbench-faults-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, b := range []struct {
		path    *string
		version string
		tags    string
	}{{&hdbench, "v-this", ""}, {&otherVersion, "v-other", ""}, {&clockShift, "v-clock", "clockshift"}} {
		*b.path = filepath.Join(dir, b.version)
		cmd := exec.Command("go", "build", "-tags", b.tags, "-ldflags", "-s -w -X main.buildVersion="+b.version, "-o", *b.path, "hdbench/cmd/hdbench")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
	}
	if natsServer, err = natslab.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
