package mono

import (
	"fmt"
	"os"
	"strings"
)

// Zero names the zero of c: two processes whose names are alike read one and the
// same clock. It is the kernel's boot, and where a time namespace has moved the
// clock, by how much.
func (c Clock) Zero() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("which boot the clock counts from: %w", err)
	}
	name := strings.TrimSpace(string(boot))
	// Kernels without time namespaces have no such file.
	offsets, _ := os.ReadFile("/proc/self/timens_offsets")
	for line := range strings.Lines(string(offsets)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "monotonic" && (f[1] != "0" || f[2] != "0") {
			name += " " + f[1] + "." + f[2]
		}
	}
	return strings.TrimSpace(name + " " + c.shift.String()), nil
}
