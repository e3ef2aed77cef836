package profile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// mapping is a range of addresses of a program and the file that is there.
type mapping struct {
	start, end, offset uint64
	name               string // of the file, or [vdso]
	file               *elfFile
}

// world is what is known of the processes that are sampled: which program each is,
// what is mapped where, what threads are called. Rings are read one CPU after
// another, so about the moment of an exec a few samples may be given to the
// program before or after.
type world struct {
	programs map[uint32]program
	mappings map[program][]mapping
	main     map[program]string // the file a program was started from
	threads  map[uint32]string
	files    map[fileKey]*elfFile
	notes    []string
}

// fileKey tells one file from another, whatever it is called.
type fileKey struct {
	device, inode uint64
	name          string
}

func newWorld() *world {
	return &world{
		programs: map[uint32]program{}, mappings: map[program][]mapping{}, main: map[program]string{},
		threads: map[uint32]string{}, files: map[fileKey]*elfFile{},
	}
}

// program is the program that a process is now.
func (w *world) program(pid uint32) program {
	p, there := w.programs[pid]
	if !there {
		p = program{pid: pid}
		w.programs[pid] = p
	}
	return p
}

// readProcess reads a process's mappings and the names of its threads. One that
// has gone has none.
func (w *world) readProcess(pid int) {
	p := w.program(uint32(pid))
	w.readThreads(pid)
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		w.main[p] = exe
	}
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return
	}
	ms, err := proc.ProcMaps()
	if err != nil {
		w.note(fmt.Sprintf("the mappings of process %d could not be read: %v", pid, err))
		return
	}
	for _, m := range ms {
		if m.Perms.Execute {
			w.add(p, mapping{
				start: uint64(m.StartAddr), end: uint64(m.EndAddr), offset: uint64(m.Offset), name: m.Pathname,
			}, fileKey{m.Dev, m.Inode, m.Pathname})
		}
	}
}

func (w *world) readThreads(pid int) {
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return
	}
	for _, t := range threads {
		if name, err := t.Comm(); err == nil {
			w.threads[uint32(t.PID)] = name
		}
	}
}

func (w *world) mapped(m mapRecord) {
	p := w.program(m.pid)
	if w.main[p] == "" && m.file != "" && m.file[0] == '/' {
		w.main[p] = m.file // the kernel maps a program before its interpreter and libraries
	}
	device := unix.Mkdev(m.majorDevice, m.minorDv)
	w.add(p, mapping{start: m.start, end: m.start + m.length, offset: m.off, name: m.file}, fileKey{device, m.inode, m.file})
}

// add puts a mapping in the place of what was there.
func (w *world) add(p program, m mapping, key fileKey) {
	if strings.HasPrefix(m.name, "/") {
		m.file = w.open(p.pid, m, key)
	} else if m.name == vdsoName {
		m.file = w.vdso()
	}
	ms := slices.DeleteFunc(w.mappings[p], func(o mapping) bool { return o.start >= m.start && o.end <= m.end })
	at, _ := slices.BinarySearchFunc(ms, m.start, func(o mapping, a uint64) int { return cmp.Compare(o.start, a) })
	w.mappings[p] = slices.Insert(ms, at, m)
}

// open opens a file that is mapped, as the process sees it, once: it must still be
// there when names are looked for, even if the process is not.
func (w *world) open(pid uint32, m mapping, key fileKey) *elfFile {
	if f := w.files[key]; f != nil {
		return f
	}
	f := &elfFile{path: strings.TrimSuffix(m.name, " (deleted)")}
	w.files[key] = f
	for _, path := range []string{
		fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, m.start, m.end), // also if it was deleted or replaced
		fmt.Sprintf("/proc/%d/root%s", pid, f.path),                  // also in a container
		f.path,
	} {
		file, err := os.Open(path)
		if err != nil {
			f.err = err
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(file.Fd()), &st); err != nil || st.Ino != key.inode {
			file.Close()
			f.err = errors.New("it is another file now")
			continue
		}
		f.src, f.closer, f.err = file, file, nil
		break
	}
	if f.err != nil {
		w.note(fmt.Sprintf("names of %s: n/a: %v", f.path, f.err))
	}
	return f
}

func (w *world) vdso() *elfFile {
	key := fileKey{name: vdsoName}
	if f := w.files[key]; f != nil {
		return f
	}
	f := openVDSO()
	w.files[key] = f
	if f.err != nil {
		w.note(fmt.Sprintf("names of the vdso: n/a: %v", f.err))
	}
	return f
}

func (w *world) comm(c commRecord) {
	w.threads[c.tid] = c.name
	if c.exec {
		p := w.program(c.pid)
		w.programs[c.pid] = program{c.pid, p.exec + 1}
	}
}

// fork gives a new process the mappings of its parent.
func (w *world) fork(f forkRecord) {
	if _, there := w.threads[f.tid]; !there {
		w.threads[f.tid] = w.threads[f.parentThread]
	}
	if f.pid == f.parent {
		return
	}
	parent, child := w.program(f.parent), w.program(f.pid)
	if len(w.mappings[child]) == 0 {
		w.mappings[child], w.main[child] = slices.Clone(w.mappings[parent]), w.main[parent]
	}
}

func (w *world) note(s string) {
	if !slices.Contains(w.notes, s) {
		w.notes = append(w.notes, s)
	}
}

// find is the mapping an address is in.
func (w *world) find(p program, addr uint64) *mapping {
	ms := w.mappings[p]
	at, there := slices.BinarySearchFunc(ms, addr, func(m mapping, a uint64) int { return cmp.Compare(m.start, a) })
	if !there {
		at--
	}
	if at < 0 || addr >= ms[at].end {
		return nil
	}
	return &ms[at]
}

// user names an address of a program; caller says that it is where a call returns
// to, which may be behind the function's end.
func (w *world) user(p program, addr uint64, caller bool) Frame {
	f := Frame{Addr: addr}
	if caller && addr > 0 {
		addr--
	}
	m := w.find(p, addr)
	if m == nil {
		return f
	}
	f.Module = filepath.Base(strings.TrimSuffix(m.name, " (deleted)"))
	if m.name == "" {
		f.Module = "anonymous memory" // code made at run time
	}
	f.own = m.name != "" && strings.TrimSuffix(m.name, " (deleted)") == strings.TrimSuffix(w.main[p], " (deleted)")
	if f.file = m.file; f.file != nil {
		f.Name = f.file.name(addr - m.start + m.offset)
	}
	return f
}

func (w *world) close() error {
	var err error
	for f := range maps.Values(w.files) {
		err = errors.Join(err, f.close())
	}
	return err
}
