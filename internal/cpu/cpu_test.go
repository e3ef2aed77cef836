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
	for in, want := range map[string]string{"x": "want numbers", "3-1": "want numbers", "8191": "not available"} {
		if _, err := ParseList(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseList(%q): %v; want an error with %q", in, err, want)
		}
	}
}

// A list is expanded into a set. Some characters from a record or another host must
// not take all memory, or all time.
func TestListsAreBounded(t *testing.T) {
	for in, want := range map[string]string{
		"0-8191":                             "",
		"0-3,2-5":                            "",
		"8192":                               "no CPU 8192",
		"0-9999999999":                       "no CPU 9999999999",
		"3,0-9223372036854775807":            "no CPU 9223372036854775807",
		"0-99999999999999999999":             "want numbers", // more than a number holds
		strings.Repeat("0-8191,", 100) + "1": "more than 8192 CPUs",
	} {
		set, err := Parse(in)
		switch {
		case want == "" && err != nil:
			t.Errorf("%.20s: %v", in, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300):
			t.Errorf("%.20s: %v with %d CPUs; want an error with %q", in, err, set.Size(), want)
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
