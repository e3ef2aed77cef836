package profile

import (
	"bytes"
	"errors"
	"os"

	"github.com/prometheus/procfs"
)

// vdsoName is how the kernel calls the code of its own that it maps into every
// process, to tell the time without a system call.
const vdsoName = "[vdso]"

// openVDSO reads this process's: it is the same in all.
func openVDSO() *elfFile {
	f := &elfFile{path: vdsoName}
	proc, err := procfs.Self()
	if err != nil {
		f.err = err
		return f
	}
	ms, err := proc.ProcMaps()
	if err != nil {
		f.err = err
		return f
	}
	for _, m := range ms {
		if m.Pathname != vdsoName {
			continue
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			f.err = err
			return f
		}
		defer mem.Close()
		b := make([]byte, m.EndAddr-m.StartAddr)
		if _, err := mem.ReadAt(b, int64(m.StartAddr)); err != nil {
			f.err = err
			return f
		}
		f.src = bytes.NewReader(b)
		return f
	}
	f.err = errors.New("this process has none")
	return f
}
