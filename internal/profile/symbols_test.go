package profile

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"debug/elf"
)

const kallsyms = `ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000040 T first
ffffffff81000040 t __first_alias
ffffffff81000080 t second.isra.0
ffffffff81000100 D some_data
ffffffff81000200 T third.cold
ffffffffc0001000 t tls_push_record	[tls]
`

func TestKallsyms(t *testing.T) {
	all, err := parseKallsyms(strings.NewReader(kallsyms))
	if err != nil {
		t.Fatal(err)
	}
	k := &kernelSymbols{all: all}
	for _, tt := range []struct {
		addr         uint64
		caller       bool
		name, module string
	}{
		{0xffffffff81000040, false, "first", "kernel"}, // not the alias with more underscores
		{0xffffffff8100007f, false, "first", "kernel"},
		{0xffffffff81000080, false, "second", "kernel"},
		{0xffffffff81000080, true, "first", "kernel"}, // the call was first's last instruction
		{0xffffffff810001ff, false, "second", "kernel"},
		{0xffffffff81000200, false, "third", "kernel"},
		{0xffffffff81000200 + maxKernelFunction, false, "", ""}, // between the core and the modules
		{0xffffffffc0001010, false, "tls_push_record", "[tls]"},
		{0xffffffff80000000, false, "", ""},
		{0xfffffffff0000000, false, "", ""},
	} {
		if f := k.frame(tt.addr, tt.caller); f.Name != tt.name || f.Module != tt.module || !f.Kernel {
			t.Errorf("%x (caller: %v): %+v, want %s of %s", tt.addr, tt.caller, f, tt.name, tt.module)
		}
	}
}

func TestKallsymsWithoutAddresses(t *testing.T) {
	_, err := parseKallsyms(strings.NewReader("0000000000000000 T _stext\n0000000000000000 t x\t[tls]\n"))
	if !errors.Is(err, errHidden) || !strings.Contains(err.Error(), "kptr_restrict") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"x", "zz T name", "ffff TT name"} {
		if _, err := parseKallsyms(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzKallsyms(f *testing.F) {
	f.Add(kallsyms, uint64(0xffffffff81000041))
	f.Fuzz(func(t *testing.T, text string, addr uint64) {
		all, err := parseKallsyms(strings.NewReader(text))
		if err == nil {
			(&kernelSymbols{all: all}).frame(addr, addr > 0)
		}
	})
}

func TestReadableNames(t *testing.T) {
	for raw, want := range map[string]string{
		"_ZN10hyper_derp6Worker10ForwardMsgEPKhm":        "hyper_derp::Worker::ForwardMsg",
		"_ZNSt6vectorIiSaIiEE9push_backERKi":             "std::vector::push_back",
		"tcp_v4_rcv.constprop.0":                         "tcp_v4_rcv",
		"foo.part.3":                                     "foo",
		"bar.isra.0.cold":                                "bar",
		"crypto/internal/fips140/aes/gcm.gcmAesEnc.abi0": "crypto/internal/fips140/aes/gcm.gcmAesEnc",
		"hdbench/relay.(*worker).forward":                "hdbench/relay.(*worker).forward",
		"main":                                           "main",
	} {
		if got := readable(raw); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// build makes a program from a source and opens it as a mapped file.
func build(t *testing.T, source string, argv ...string) *elfFile {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	argv = append(argv, "-o", out, source)
	if text, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, text)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &elfFile{path: out, src: f}
}

// offsetOf is where a function's code is in a file, by a symbol table that has it.
func offsetOf(t *testing.T, file, function string) uint64 {
	t.Helper()
	e, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	symbols, err := e.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if s.Name != function {
			continue
		}
		for _, p := range e.Progs {
			if p.Type == elf.PT_LOAD && s.Value >= p.Vaddr && s.Value < p.Vaddr+p.Filesz {
				return s.Value - p.Vaddr + p.Off
			}
		}
	}
	t.Fatalf("%s has no %s", file, function)
	return 0
}

// A position-independent program in C++, as Hyper-DERP is one: names are
// demangled, and its build id is there.
func TestNamesOfCPlusPlus(t *testing.T) {
	f := build(t, "testdata/cpp.c", "gcc", "-O0", "-pie", "-fPIE", "-Wl,--build-id")
	at := offsetOf(t, f.path, "_ZN10hyper_derp6Worker10ForwardMsgEPKhm")
	for _, off := range []uint64{at, at + 1} {
		if got := f.name(off); got != "hyper_derp::Worker::ForwardMsg" {
			t.Errorf("at %x: %q, %v", off, got, f.err)
		}
	}
	if got := f.name(1 << 40); got != "" {
		t.Errorf("behind the file: %q", got)
	}
	if len(f.buildID) != 40 {
		t.Errorf("build id %q", f.buildID)
	}
}

// A Go program without its symbols has the table for its own stack traces.
func TestNamesOfStrippedGo(t *testing.T) {
	whole := build(t, "testdata/busy/main.go", "go", "build")
	stripped := build(t, "testdata/busy/main.go", "go", "build", "-ldflags=-s -w")
	for _, f := range []*elfFile{whole, stripped} {
		if got := f.name(offsetOf(t, whole.path, "main.burn")); f == whole && got != "main.burn" {
			t.Errorf("%q, %v", got, f.err)
		}
	}
	e, err := elf.NewFile(stripped.src)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Symbols(); !errors.Is(err, elf.ErrNoSymbols) {
		t.Fatalf("the program is not stripped: %v", err)
	}
	stripped.name(0)
	fn := stripped.table.LookupFunc("main.burn")
	if fn == nil {
		t.Fatal("the table has no main.burn")
	}
	for _, p := range stripped.segments {
		if fn.Entry >= p.Vaddr && fn.Entry < p.Vaddr+p.Filesz {
			if got := stripped.name(fn.Entry - p.Vaddr + p.Off + 4); got != "main.burn" {
				t.Errorf("stripped: %q", got)
			}
			return
		}
	}
	t.Errorf("main.burn at %x is in no segment", fn.Entry)
}

func TestNamesOfTheVDSO(t *testing.T) {
	f := openVDSO()
	if f.err != nil {
		t.Fatal(f.err)
	}
	f.name(0)
	for _, s := range f.symbols {
		if strings.Contains(s.name, "clock_gettime") {
			return
		}
	}
	t.Errorf("no clock_gettime among %d names", len(f.symbols))
}
