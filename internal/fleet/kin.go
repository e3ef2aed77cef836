package fleet

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// kin are the processes of a relay: the one that the agent has started and all that
// descend from it, whether they have made a session of their own, lost their parent,
// or changed their group. Nobody else is ever one of them:
//
//   - a child of one of them is, and a member of a process group or session that one
//     of them has made;
//   - who has the relay's mark in its environment is: the mark is random, and can only
//     be inherited;
//   - where the agent has a process to itself, orphans become its children (it is
//     their subreaper). One that the agent has not started itself is a relay's.
type kin struct {
	root  int
	mark  string // NAME=VALUE in the environment
	spawn *spawner
	since uint64 // when the root was started, in the kernel's ticks

	mu   sync.Mutex
	seen map[int]uint64 // by PID, when it was started; guarded by mu
}

// markName is the variable that a relay and its descendants have.
const markName = "HDBENCH_RELAY_MARK"

// newMark makes what a relay's environment must have for newKin.
func newMark() string { return markName + "=" + rand.Text() }

// newKin are the processes that descend from a child with that mark.
func newKin(s *spawner, root int, mark string) (*kin, error) {
	k := &kin{root: root, mark: mark, spawn: s, seen: map[int]uint64{}}
	p, err := procfs.NewProc(root)
	if err == nil {
		var st procfs.ProcStat
		if st, err = p.Stat(); err == nil {
			k.since = st.Starttime
			k.seen[root] = st.Starttime
		}
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", root, err)
	}
	return k, nil
}

// relative is one of the kin.
type relative struct {
	pid  int
	name string
	own  bool // it has left the root's process group, for a session of its own perhaps
	dead bool // a zombie
}

// find lists them all, the root first if it is there. Zombies whose parent is this
// process are waited for, but the root, which has somebody who does.
func (k *kin) find() ([]relative, error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	mine := k.spawn.started() // after the list: what is in the list and not here was not started here
	k.mu.Lock()
	defer k.mu.Unlock()
	young := map[int]procfs.ProcStat{} // no older than the root
	for _, p := range procs {
		if st, err := p.Stat(); err == nil && st.Starttime >= k.since {
			young[st.PID] = st
		}
	}
	member := map[int]bool{}
	for grown := true; grown; { // a parent may come after its child
		grown = false
		for pid, st := range young {
			if !member[pid] && k.has(st, young, member, mine) {
				member[pid], k.seen[pid], grown = true, st.Starttime, true
			}
		}
	}
	var found []relative
	for _, pid := range slices.Sorted(maps.Keys(member)) {
		st := young[pid]
		r := relative{pid: st.PID, name: st.Comm, own: st.PGRP != k.root, dead: st.State == "Z" || st.State == "X"}
		if r.dead && r.pid != k.root && st.PPID == os.Getpid() {
			_, _ = unix.Wait4(r.pid, nil, unix.WNOHANG, nil)
			continue
		}
		if r.pid == k.root {
			found = slices.Insert(found, 0, r)
		} else {
			found = append(found, r)
		}
	}
	return found, nil
}

// has reports whether a process is one of the kin. The caller holds mu.
func (k *kin) has(st procfs.ProcStat, young map[int]procfs.ProcStat, member, mine map[int]bool) bool {
	if since, seen := k.seen[st.PID]; seen && since == st.Starttime {
		return true
	}
	if st.PID == os.Getpid() || mine[st.PID] {
		return false
	}
	if member[st.PPID] {
		return true
	}
	for _, leader := range []int{st.PGRP, st.Session} {
		// The number of a leader that has ended is given to nobody while it has a group.
		since, seen := k.seen[leader]
		if there, is := young[leader]; seen && leader != st.PID && (!is || there.Starttime == since) {
			return true
		}
	}
	if st.PPID == os.Getpid() && k.spawn.alone {
		return true
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", st.PID))
	return err == nil && slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return string(v) == k.mark })
}

// pids are those that live, the root first.
func (k *kin) pids() ([]int, error) {
	all, err := k.find()
	var pids []int
	for _, r := range all {
		if !r.dead {
			pids = append(pids, r.pid)
		}
	}
	return pids, err
}

// signal sends a signal to all but the root.
func (k *kin) signal(sig unix.Signal) {
	all, err := k.find()
	if err != nil {
		return
	}
	for _, r := range all {
		if r.pid != k.root && !r.dead {
			k.kill(r.pid, sig)
		}
	}
}

// kill signals one of the kin, and never another process that has its number now.
func (k *kin) kill(pid int, sig unix.Signal) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	p, err := procfs.NewProc(pid)
	if err != nil {
		return
	}
	st, err := p.Stat()
	k.mu.Lock()
	same := err == nil && k.seen[pid] == st.Starttime
	k.mu.Unlock()
	if same {
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
}

// endPatience is how long processes that were killed may take to be gone.
const endPatience = 5 * time.Second

// rest waits for those that are left when the root has ended.
func (k *kin) rest(grace time.Duration) {
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		all, err := k.find()
		if err == nil && !slices.ContainsFunc(all, func(r relative) bool { return r.pid != k.root && !r.dead }) {
			return
		}
	}
}

// end kills all that are left when the root has ended, until there are none, and
// says whom it had to kill and who is still there.
func (k *kin) end() (killed, left []relative) {
	met := map[int]bool{}
	for deadline := time.Now().Add(endPatience); ; time.Sleep(2 * time.Millisecond) {
		all, err := k.find()
		left = left[:0]
		for _, r := range all {
			if r.pid == k.root || r.dead {
				continue
			}
			left = append(left, r)
			if !met[r.pid] {
				met[r.pid] = true
				killed = append(killed, r)
			}
			k.kill(r.pid, unix.SIGKILL)
		}
		if err == nil && len(left) == 0 || time.Now().After(deadline) {
			return killed, left
		}
	}
}

// list names processes, a few of them.
func list(rs []relative) string {
	const most = 3
	var names []string
	for _, r := range rs[:min(most, len(rs))] {
		names = append(names, fmt.Sprintf("%s (process %d)", r.name, r.pid))
	}
	if n := len(rs) - most; n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}
