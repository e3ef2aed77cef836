package cpu

import "testing"

// A list that is read is bounded and reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "0-3,8", "", "3-1", "0-4294967295", "99999999999999999999", "0,,1", " 1 - 2", "-1", "0-8191", "8192"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		set, err := Parse(s)
		if err != nil {
			return
		}
		if n := set.Size(); n > Max {
			t.Fatalf("%q: %d CPUs", s, n)
		}
		if again, err := Parse(set.String()); err != nil || !again.Equals(set) {
			t.Fatalf("%q: %s, again %s, %v", s, set, again, err)
		}
	})
}

// A slip of the finger must not make a set of billions.
func TestNumbersBeyondAnyCPUAreRefused(t *testing.T) {
	for _, s := range []string{"0-4294967295", "8192", "1,999999999", "0-99999999999999999999"} {
		if set, err := Parse(s); err == nil {
			t.Errorf("%q is a list of %d CPUs", s, set.Size())
		}
	}
	if set, err := Parse("0-3,8191"); err != nil || set.Size() != 5 {
		t.Errorf("%v, %v", set, err)
	}
}
