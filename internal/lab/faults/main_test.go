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

// Binaries under test: hdbench, the same as another version, and a nats-server.
var hdbench, otherVersion, natsServer string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hdbench-faults-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	hdbench, otherVersion = filepath.Join(dir, "hdbench"), filepath.Join(dir, "hdbench-other")
	for binary, version := range map[string]string{hdbench: "v-this", otherVersion: "v-other"} {
		cmd := exec.Command("go", "build", "-ldflags", "-s -w -X main.buildVersion="+version, "-o", binary, "hdbench/cmd/hdbench")
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
