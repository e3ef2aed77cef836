package lab

import (
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"strings"
)

// module is a kernel module as it describes itself.
type module struct {
	file    string
	name    string
	release string // of the kernel it is for
	depends []string
}

// readModule reads a module's own description, its section .modinfo: what depmod
// makes modules.dep from, which Debian's kernel packages do not ship.
func readModule(file string) (module, error) {
	m := module{file: file, name: moduleName(file)}
	f, err := elf.Open(file)
	if err != nil {
		return m, fmt.Errorf("kernel module %s: %w", file, err)
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return m, fmt.Errorf("kernel module %s: no .modinfo", file)
	}
	b, err := s.Data()
	if err != nil {
		return m, fmt.Errorf("kernel module %s: %w", file, err)
	}
	for field := range strings.SplitSeq(string(b), "\x00") {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "depends":
			for d := range strings.SplitSeq(value, ",") {
				if d != "" {
					m.depends = append(m.depends, moduleName(d))
				}
			}
		case "vermagic":
			m.release, _, _ = strings.Cut(value, " ")
		}
	}
	if m.release == "" {
		return m, fmt.Errorf("kernel module %s: it does not say for which kernel it is", file)
	}
	return m, nil
}

// moduleName is the kernel's name for the module in a file: gf128mul of
// kernel/crypto/gf128mul.ko, aesni_intel of aesni-intel.ko.
func moduleName(file string) string {
	name := strings.TrimSuffix(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// CheckStatic says whether a program can run where there is no C library.
func CheckStatic(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s: %w", file, errDynamic)
		}
	}
	return nil
}

// errDynamic is a program that the guest has no loader for.
var errDynamic = errors.New("it is linked dynamically, and the guest has no libraries (build it with CGO_ENABLED=0)")
