package lab

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kernel is a kernel of the cache: its image and its modules.
type Kernel struct {
	Machine Machine
	Package string // Debian's, with its version
	Release string // as uname -r says it
	dir     string
	modules map[string]module // by the kernel's name for it
	builtin map[string]bool
}

// CacheDir is where scripts/lab-kernels.sh puts the kernels.
func CacheDir() (string, error) {
	if dir := os.Getenv("HDBENCH_LAB_CACHE"); dir != "" {
		return dir, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache of the lab's kernels: %w (or set HDBENCH_LAB_CACHE)", err)
	}
	return filepath.Join(base, "hdbench", "lab"), nil
}

// OpenKernel opens a machine's kernel in the cache and checks every byte of it.
func OpenKernel(cache string, m Machine) (*Kernel, error) {
	dir := filepath.Join(cache, string(m))
	k := &Kernel{Machine: m, dir: dir, modules: map[string]module{}, builtin: map[string]bool{}}
	if err := checkSums(dir); err != nil {
		return nil, fmt.Errorf("%w: kernel of %s: %w (fetch it with: make lab-kernels)", ErrNoMachine, m, err)
	}
	pkg, err := os.ReadFile(filepath.Join(dir, "PACKAGE"))
	if err != nil {
		return nil, err
	}
	k.Package = strings.TrimSpace(string(pkg))
	files, err := filepath.Glob(filepath.Join(dir, "modules", "*.ko"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		mod, err := readModule(file)
		if err != nil {
			return nil, err
		}
		k.modules[mod.name] = mod
		if k.Release != "" && mod.release != k.Release {
			return nil, fmt.Errorf("%s is for Linux %s, others are for %s", file, mod.release, k.Release)
		}
		k.Release = mod.release
	}
	b, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		k.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	return k, nil
}

// image is the kernel itself.
func (k *Kernel) image() string { return filepath.Join(k.dir, "kernel") }

// shim is what user-mode Linux is run with: see umlshim/umlshim.c.
func (k *Kernel) shim() string { return filepath.Join(k.dir, "umlshim.so") }

// wanted are the modules that kernel TLS and its three cipher suites need on each
// machine. Nothing loads a module by itself in the guest: there is no modprobe.
var wanted = map[Machine][]string{
	// ctr: without it, gcm(aes) cannot be made and setting TLS_TX says ENOENT.
	UML: {"ctr", "ghash_generic", "gcm", "chacha_generic", "poly1305_generic", "chacha20poly1305", "tls"},
	QEMU: {"aesni_intel", "ghash_generic", "gcm", "chacha_x86_64", "poly1305_x86_64", "chacha_generic",
		"poly1305_generic", "chacha20poly1305", "tls"},
}

// order lists the files of the wanted modules and of all they depend on, each
// after those it needs.
func (k *Kernel) order(names []string) ([]string, error) {
	var files []string
	var add func(name, by string) error
	add = func(name, by string) error {
		if k.builtin[name] {
			return nil
		}
		m, ok := k.modules[name]
		if !ok {
			return fmt.Errorf("%s has no module %s (needed by %s)", k.Package, name, by)
		}
		if slices.Contains(files, m.file) {
			return nil
		}
		for _, d := range m.depends {
			if err := add(d, name); err != nil {
				return err
			}
		}
		files = append(files, m.file)
		return nil
	}
	for _, n := range names {
		if err := add(n, "the lab"); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// checkSums holds the files of a folder against its SHA256SUMS.
func checkSums(dir string) error {
	f, err := os.Open(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return err
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		want, name, ok := strings.Cut(s.Text(), "  ")
		if !ok || !filepath.IsLocal(name) {
			return fmt.Errorf("%s: line %d makes no sense", f.Name(), n+1)
		}
		got, err := sumFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is damaged", filepath.Join(dir, name))
		}
	}
	if n == 0 {
		return fmt.Errorf("%s is empty", f.Name())
	}
	return nil
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
