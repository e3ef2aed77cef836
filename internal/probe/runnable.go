package probe

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// Runnable is how long the living threads of processes have had something to do:
// what they ran, and what they waited for a CPU. A thread that spins has something
// to do all the time, however many others want its CPU. The kernel counts it in
// /proc/PID/task/TID/schedstat.
func Runnable(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		threads, err := procfs.AllThreads(pid)
		if err != nil {
			continue // gone meanwhile
		}
		for _, t := range threads {
			b, err := os.ReadFile(fmt.Sprintf("%s/%d/task/%d/schedstat", procfs.DefaultMountPoint, pid, t.PID))
			if os.IsNotExist(err) && alive(pid, t.PID) {
				return 0, fmt.Errorf("the kernel does not count what threads wait for a CPU: %w", err)
			}
			var ran, waited uint64
			if _, err := fmt.Sscan(string(b), &ran, &waited); err == nil {
				sum += time.Duration(ran + waited)
			}
		}
	}
	return sum, nil
}

func alive(pid, tid int) bool {
	_, err := os.Stat(fmt.Sprintf("%s/%d/task/%d", procfs.DefaultMountPoint, pid, tid))
	return err == nil
}
