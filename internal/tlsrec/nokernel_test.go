//go:build !lab

package tlsrec

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// On any machine the check must agree with what the kernel says it has.
func TestCheckKernelAgreesWithTheKernel(t *testing.T) {
	ulps, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_ulp")
	if err != nil {
		t.Fatal(err)
	}
	err = CheckKernel(AES128GCM)
	if strings.Contains(string(ulps), "tls") {
		if err != nil {
			t.Errorf("the kernel has the ULP tls, the check says: %v", err)
		}
		return
	}
	// The check may have loaded the module.
	if err != nil && (!errors.Is(err, ErrNotSupported) || !strings.Contains(err.Error(), "modprobe tls")) {
		t.Errorf("%v; want what is missing, and what to do", err)
	}
}
