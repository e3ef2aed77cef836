package probe

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/sysfs"
	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
)

// Source is where a fingerprint is read from: this host, or a tree of files that
// was recorded on another one.
type Source struct {
	// Root is the folder that proc and sys are in; empty: this host's.
	Root string
	// Leaf is the vendor text of the CPU's hypervisor leaf (0x40000000); empty if
	// there is no hypervisor, or no such instruction.
	Leaf func() string
	// Ethtool fills in what the driver of an interface tells. A field it cannot read
	// it reports by miss.
	Ethtool func(nic *measure.NIC, miss func(field string, err error))
	// Addresses are those of an interface.
	Addresses func(nic string) ([]string, error)
	// Files is the limit of open files.
	Files func() (soft, hard uint64, err error)
}

// Here is this host.
func Here() Source {
	return Source{
		Leaf:      func() string { return cpuid.CPU.HypervisorVendorString },
		Ethtool:   ethtoolSettings,
		Addresses: interfaceAddresses,
		Files: func() (soft, hard uint64, err error) {
			var r unix.Rlimit
			err = unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
			return r.Cur, r.Max, err
		},
	}
}

// path is where a file of the host's is.
func (s Source) path(parts ...string) string {
	return filepath.Join(append([]string{"/", s.Root}, parts...)...)
}

func (s Source) proc() (procfs.FS, error) { return procfs.NewFS(s.path("proc")) }
func (s Source) sys() (sysfs.FS, error)   { return sysfs.NewFS(s.path("sys")) }

// text reads a file of one value.
func (s Source) text(parts ...string) (string, error) {
	b, err := os.ReadFile(s.path(parts...))
	return strings.TrimSpace(string(b)), err
}

// number reads a file that holds a whole number.
func (s Source) number(parts ...string) (int64, error) {
	t, err := s.text(parts...)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(t, 10, 64)
}

// missing collects what could not be read.
type missing struct {
	s  Source
	of map[string]string
}

// add notes why a field is empty; no error, no note.
func (m *missing) add(field string, err error) {
	if err == nil {
		return
	}
	if m.of == nil {
		m.of = map[string]string{}
	}
	m.of[field] = m.s.reason(err)
}

// reason is an error as a reason: paths as the host has them, and for a file that
// is not there the highest folder that is not either.
func (s Source) reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		host := func(path string) string {
			if s.Root == "" {
				return path
			}
			return strings.TrimPrefix(path, filepath.Clean(s.Root))
		}
		if errors.Is(err, fs.ErrNotExist) {
			gone := p.Path
			for dir := filepath.Dir(gone); dir != "/" && dir != "." && dir != filepath.Clean(s.path()); dir = filepath.Dir(dir) {
				if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
					break
				}
				gone = dir
			}
			return host(gone) + " is not there"
		}
		return host(p.Path) + ": " + p.Err.Error()
	}
	text := err.Error()
	if s.Root != "" {
		text = strings.ReplaceAll(text, filepath.Clean(s.Root), "")
	}
	return text
}

// list is words as one line.
func list(words []string) string { return strings.Join(words, " ") }
