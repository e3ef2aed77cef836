package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// guestPackage is the guest's init.
const guestPackage = "hdbench/internal/lab/guest"

// BuildGuest builds the guest's init into a folder, by the go command, in this
// module. The go command's cache makes all but the first time quick.
func BuildGuest(ctx context.Context, dir string) (string, error) {
	out := filepath.Join(dir, "guest")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, guestPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the guest's init: %w\n%s", err, b)
	}
	return out, nil
}
