package fleet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// tempDir makes a folder that lives as long as the process that made it: its
// owner holds a lock on it, so that what a killed one has left is known as such.
// Those of the same kind and user are removed first.
func tempDir(parent, kind string) (dir string, remove func(), err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	removeStale(parent, kind)
	for {
		dir, err := os.MkdirTemp(parent, kind+"-*")
		if err != nil {
			return "", nil, err
		}
		f, err := lockDir(dir)
		switch {
		case err == nil && stillThere(f, dir):
			return dir, func() { os.RemoveAll(dir); f.Close() }, nil
		case err == nil:
			f.Close() // another process took it for a dead one's before it was locked
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK):
			os.Remove(dir)
			return "", nil, err
		}
	}
}

// removeStale removes the folders of a kind whose owners have ended. What cannot
// be removed is not ours, or the next one's to remove.
func removeStale(parent, kind string) {
	dirs, err := filepath.Glob(filepath.Join(parent, kind+"-*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		var st unix.Stat_t
		if unix.Lstat(d, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() {
			continue
		}
		if f, err := lockDir(d); err == nil {
			os.RemoveAll(d)
			f.Close()
		}
	}
}

// lockDir locks a folder for as long as the file is open, unless somebody has it.
func lockDir(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// stillThere reports whether the folder at a path is the one that is open.
func stillThere(f *os.File, dir string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(dir)
	return err == nil && os.SameFile(open, now)
}
