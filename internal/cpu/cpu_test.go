package cpu

import (
	"runtime"
	"strings"
	"testing"
)

func TestParseList(t *testing.T) {
	all, err := Available()
	if err != nil || all.IsEmpty() {
		t.Fatalf("Available() = %v, %v", all, err)
	}
	if got, err := ParseList(""); err != nil || !got.Equals(all) {
		t.Errorf("no list gives %v, %v; want all of %v", got, err, all)
	}
	if got, err := ParseList(all.String()); err != nil || !got.Equals(all) {
		t.Errorf("ParseList(%q) = %v, %v", all.String(), got, err)
	}
	for in, want := range map[string]string{"x": "want numbers", "3-1": "want numbers", "100000": "not available"} {
		if _, err := ParseList(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseList(%q): %v; want an error with %q", in, err, want)
		}
	}
}

func TestPin(t *testing.T) {
	all, err := Available()
	if err != nil {
		t.Fatal(err)
	}
	one := Of(all.List()[0])
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the pinned thread ends with the goroutine
		if err := Pin(one); err != nil {
			done <- err
			return
		}
		got, err := Available()
		if err == nil && !got.Equals(one) {
			t.Errorf("pinned to %v, runs on %v", one, got)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
