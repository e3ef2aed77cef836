package probe

import (
	"fmt"

	"github.com/prometheus/procfs"
)

// Tree is a process and its living descendants, itself first: a relay may be
// started by a wrapper.
func Tree(pid int) ([]int, error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	children := map[int][]int{}
	for _, p := range procs {
		if st, err := p.Stat(); err == nil { // gone meanwhile: no descendant any more
			children[st.PPID] = append(children[st.PPID], p.PID)
		}
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree, nil
}

// TreeThreads are the threads of a process and of its living descendants.
func TreeThreads(pid int) ([]int, error) {
	tree, err := Tree(pid)
	if err != nil {
		return nil, err
	}
	var tids []int
	for _, p := range tree {
		threads, err := procfs.AllThreads(p)
		if err != nil {
			if p == pid {
				return nil, fmt.Errorf("list threads of process %d: %w", pid, err)
			}
			continue // gone meanwhile
		}
		for _, t := range threads {
			tids = append(tids, t.PID)
		}
	}
	return tids, nil
}
