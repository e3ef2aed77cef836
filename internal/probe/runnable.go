package probe

import "github.com/prometheus/procfs"

// Runnable is how many threads of processes have something to do just now: they run,
// or wait for a CPU. One that spins is always among them, however many others want
// its CPU; what it has run, or waited, is only counted when it gets one.
func Runnable(pids []int) int {
	n := 0
	for _, pid := range pids {
		threads, err := procfs.AllThreads(pid)
		if err != nil {
			continue // gone meanwhile
		}
		for _, t := range threads {
			if st, err := t.Stat(); err == nil && st.State == "R" {
				n++
			}
		}
	}
	return n
}
