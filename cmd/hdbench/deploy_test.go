package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The example of a unit is one that systemd takes without a word.
func TestAgentUnit(t *testing.T) {
	b, err := os.ReadFile("../../deploy/systemd/hdbench-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	starts := unitLines(t, "hdbench-agent.service", "ExecStart")
	if len(starts) != 1 {
		t.Fatalf("ExecStart: %q", starts)
	}
	checkCommand(t, "hdbench-agent.service", strings.NewReplacer("${CREDENTIALS_DIRECTORY}", "/run/credentials").Replace(starts[0]))
	unit := filepath.Join(t.TempDir(), "hdbench-agent.service")
	text := strings.ReplaceAll(string(b), "/usr/local/bin/hdbench", "/bin/true") // which must be there
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatalf("%v: scripts/setup.sh systemd-analyze installs it", err)
	}
	if out, err := exec.Command(path, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The example of a Kubernetes manifest starts agents as this hdbench understands
// it; deploy/ is the module that holds it against Kubernetes' types.
func TestAgentManifestArguments(t *testing.T) {
	b, err := os.ReadFile("../../deploy/kubernetes/agent.yaml")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?m)^ +args:\n((?: +(?:- |#).*\n)+)`).FindAllStringSubmatch(string(b), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d containers with arguments, want 2", len(blocks))
	}
	for _, block := range blocks {
		command := "hdbench"
		for line := range strings.Lines(block[1]) {
			if arg, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok {
				command += " " + regexp.MustCompile(`\$\(\w+\)`).ReplaceAllString(arg, "10.50.0.1")
			}
		}
		checkCommand(t, "agent.yaml", command)
	}
}
