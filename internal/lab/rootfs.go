package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cavaliergopher/cpio"

	"hdbench/internal/lab/wire"
)

// rootfs writes the guest's file system, the archive its kernel unpacks at boot.
type rootfs struct {
	w    *cpio.Writer
	dirs map[string]bool
}

// writeRootfs writes all that the job's guest has.
func writeRootfs(w io.Writer, j *Job) error {
	r := &rootfs{cpio.NewWriter(w), map[string]bool{}}
	modules, err := j.Kernel.order(wanted[j.Kernel.Machine])
	if err != nil {
		return err
	}
	var loaded []string
	for _, m := range modules {
		at := "/lab/modules/" + filepath.Base(m)
		if err := r.file(m, at); err != nil {
			return err
		}
		loaded = append(loaded, at)
	}
	config, err := json.Marshal(j.config(loaded))
	if err != nil {
		return err
	}
	if err := r.bytes(wire.ConfigPath, 0o644, config); err != nil {
		return err
	}
	if err := r.file(j.Guest, "/init"); err != nil {
		return err
	}
	for _, d := range []string{"/root", j.Dir} {
		if err := r.dir(d); err != nil {
			return err
		}
	}
	// Users that programs look up.
	if err := r.bytes("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/false\n")); err != nil {
		return err
	}
	if err := r.bytes("/etc/hosts", 0o644, []byte("127.0.0.1 localhost\n")); err != nil {
		return err
	}
	for _, f := range j.Files {
		if err := r.tree(f); err != nil {
			return fmt.Errorf("%s for the guest: %w", f.Host, err)
		}
	}
	return r.w.Close()
}

// tree adds a file, or a folder with all it holds.
func (r *rootfs) tree(f File) error {
	top, err := filepath.EvalSymlinks(f.Host)
	if err != nil {
		return err
	}
	f.Host = top
	return filepath.WalkDir(f.Host, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.Host, at)
		if err != nil {
			return err
		}
		to := path.Join(f.Guest, filepath.ToSlash(rel))
		switch {
		case d.IsDir():
			return r.dir(to)
		case d.Type() == fs.ModeSymlink:
			link, err := os.Readlink(at)
			if err != nil {
				return err
			}
			return r.entry(&cpio.Header{Name: to, Mode: cpio.TypeSymlink | 0o777, Size: int64(len(link))}, strings.NewReader(link))
		case d.Type().IsRegular():
			return r.file(at, to)
		}
		return fmt.Errorf("%s: neither file nor folder nor link", at)
	})
}

func (r *rootfs) file(host, guest string) error {
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return r.entry(&cpio.Header{Name: guest, Mode: cpio.TypeReg | cpio.FileMode(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()}, f)
}

func (r *rootfs) bytes(name string, mode cpio.FileMode, b []byte) error {
	return r.entry(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(b))}, strings.NewReader(string(b)))
}

// dir adds a folder and those it is in.
func (r *rootfs) dir(name string) error {
	name = path.Clean(name)
	if name == "/" || name == "." || r.dirs[name] {
		return nil
	}
	if err := r.dir(path.Dir(name)); err != nil {
		return err
	}
	r.dirs[name] = true
	return r.w.WriteHeader(&cpio.Header{Name: strings.TrimPrefix(name, "/"), Mode: cpio.TypeDir | 0o755, Links: 2})
}

// entry adds what has content, in a folder that is there.
func (r *rootfs) entry(h *cpio.Header, content io.Reader) error {
	if err := r.dir(path.Dir(h.Name)); err != nil {
		return err
	}
	h.Name, h.Links = strings.TrimPrefix(h.Name, "/"), 1
	if err := r.w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.CopyN(r.w, content, h.Size)
	return err
}
