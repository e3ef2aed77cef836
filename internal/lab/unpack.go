package lab

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unpacker unpacks a tar archive that comes in parts into a folder.
type unpacker struct {
	w    *io.PipeWriter
	done chan error
}

func newUnpacker(dir string) *unpacker {
	if dir == "" {
		return &unpacker{}
	}
	r, w := io.Pipe()
	u := &unpacker{w: w, done: make(chan error, 1)}
	go func() {
		err := unpack(dir, r)
		r.CloseWithError(err)
		u.done <- err
	}()
	return u
}

func (u *unpacker) write(b []byte) error {
	if u.w == nil {
		return nil
	}
	// An error of the unpacking is told by close.
	_, _ = u.w.Write(b)
	return nil
}

func (u *unpacker) close() error {
	if u.w == nil {
		return nil
	}
	u.w.Close()
	u.w = nil
	return <-u.done
}

// unpack writes folders and files, and nothing outside of dir. They belong to
// whoever runs this.
func unpack(dir string, r io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			_, err := io.Copy(io.Discard, r) // padding
			return err
		}
		if err != nil {
			return err
		}
		name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
		if h.Typeflag == tar.TypeDir {
			if err := root.MkdirAll(name, 0o755); err != nil {
				return err
			}
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return fmt.Errorf("%s is neither a file nor a folder", h.Name)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}
