package profile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// The kernel's list of its own functions.
const kallsymsFile = "/proc/kallsyms"

// maxKernelFunction bounds a function of the kernel, whose list has no sizes.
const maxKernelFunction = 64 << 10

// moduleKernel is the module of what is in the kernel's core.
const moduleKernel = "kernel"

// errHidden means that the kernel shows its functions without their addresses.
var errHidden = errors.New("the kernel hides the addresses of its functions: run as root or with CAP_SYSLOG, or sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1")

// kernelSymbols are the kernel's functions by address.
type kernelSymbols struct {
	all []symbol
	err error // why there are none
}

// readKernelSymbols reads /proc/kallsyms.
func readKernelSymbols() kernelSymbols {
	f, err := os.Open(kallsymsFile)
	if err != nil {
		return kernelSymbols{err: err}
	}
	defer f.Close()
	all, err := parseKallsyms(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", kallsymsFile, err)
	}
	return kernelSymbols{all, err}
}

// parseKallsyms reads lines of address, type, name and perhaps [module]. What is
// no code is what ends a function.
func parseKallsyms(r io.Reader) ([]symbol, error) {
	var all []symbol
	hidden := true
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		parts := strings.Fields(s.Text())
		if len(parts) < 3 || len(parts[1]) != 1 {
			return nil, fmt.Errorf("line %d: %q: want address, type and name", n, s.Text())
		}
		addr, err := strconv.ParseUint(parts[0], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("line %d: address %q: %w", n, parts[0], err)
		}
		hidden = hidden && addr == 0
		if !strings.ContainsAny(parts[1], "tTwW") || addr == 0 {
			continue
		}
		sym := symbol{addr: addr, name: readable(parts[2])}
		if len(parts) > 3 {
			sym.module = parts[3]
		}
		// Borders of sections stand where functions stand, and are none.
		if isBorder(sym.name) {
			continue
		}
		all = append(all, sym)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	if hidden {
		return nil, errHidden
	}
	all = merge(all, nil)
	for i := range all { // nobody says where the last one before a gap ends
		if end := all[i].addr + maxKernelFunction; i == len(all)-1 || all[i].end > end {
			all[i].end = end
		}
	}
	return all, nil
}

// isBorder is whether a symbol marks where a section of code begins or ends.
func isBorder(name string) bool {
	return name == "_stext" || name == "_text" || name == "_etext" || name == "_sinittext" ||
		strings.HasSuffix(name, "_text_start") || strings.HasSuffix(name, "_text_end")
}

// frame names an address in the kernel; caller says that it is where a call returns
// to, which may be behind the function's end.
func (k *kernelSymbols) frame(addr uint64, caller bool) Frame {
	f := Frame{Addr: addr, Kernel: true}
	if caller {
		addr--
	}
	if s := findSymbol(k.all, addr); s != nil {
		f.Name, f.Module = s.name, s.module
		if f.Module == "" {
			f.Module = moduleKernel
		}
	}
	return f
}
