package lab

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

// These need no kernel. Those that start machines are in machine_test.go.

func TestMissingOrDamagedKernelSaysWhatToDo(t *testing.T) {
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing there", nil, "no such file"},
		{"half written", map[string]string{"kernel": "K"}, "no such file"},
		{"empty list", map[string]string{"SHA256SUMS": ""}, "is empty"},
		{"file missing", map[string]string{"SHA256SUMS": sum("K") + "  ./kernel\n"}, "no such file"},
		{"file damaged", map[string]string{"kernel": "X", "SHA256SUMS": sum("K") + "  ./kernel\n"}, "kernel is damaged"},
		{"list makes no sense", map[string]string{"SHA256SUMS": "hello\n"}, "line 1 makes no sense"},
		{"list leads outside", map[string]string{"SHA256SUMS": sum("K") + "  ../kernel\n"}, "line 1 makes no sense"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := t.TempDir()
			write(t, filepath.Join(cache, "uml"), c.files)
			_, err := OpenKernel(cache, UML)
			if !errors.Is(err, ErrNoMachine) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "make lab-kernels") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

func TestModulesComeAfterThoseTheyNeed(t *testing.T) {
	k := &Kernel{Package: "linux 6.12", builtin: map[string]bool{"aes": true}, modules: map[string]module{}}
	for name, needs := range map[string][]string{"tls": nil, "gcm": {"null", "aes"}, "null": nil, "ghash": {"gf", "gcm"}, "gf": nil, "lost": {"gone"}} {
		k.modules[name] = module{file: name + ".ko", name: name, depends: needs}
	}
	got, err := k.order([]string{"ghash", "aes", "gcm", "tls"})
	if want := []string{"gf.ko", "null.ko", "gcm.ko", "ghash.ko", "tls.ko"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := k.order([]string{"lost"}); err == nil || err.Error() != "linux 6.12 has no module gone (needed by lost)" {
		t.Errorf("error %v", err)
	}
}

func TestModuleNames(t *testing.T) {
	for file, want := range map[string]string{"/x/aesni-intel.ko": "aesni_intel", "kernel/net/tls/tls.ko": "tls", "crypto_simd": "crypto_simd"} {
		if got := moduleName(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
	notElf := filepath.Join(t.TempDir(), "x.ko")
	write(t, filepath.Dir(notElf), map[string]string{"x.ko": "no module"})
	if _, err := readModule(notElf); err == nil {
		t.Error("a text was read as a module")
	}
	// This test itself is a program, and no module.
	if _, err := readModule("/proc/self/exe"); err == nil || !strings.Contains(err.Error(), "no .modinfo") {
		t.Errorf("error %v", err)
	}
}

func TestFilesOfTheGuest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"guest": "INIT", "data/a": "A", "data/deep/er/b": "", "one": "1"})
	if err := os.Symlink("a", filepath.Join(dir, "data", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("one", filepath.Join(dir, "toone")); err != nil {
		t.Fatal(err)
	}
	k := &Kernel{Machine: UML, Release: "6.1", builtin: map[string]bool{}}
	for _, m := range wanted[UML] {
		k.builtin[m] = true
	}
	job, err := Job{Kernel: k, Guest: filepath.Join(dir, "guest"), Argv: []string{"/bin/x"}, Dir: "/work/dir",
		Files: []File{{filepath.Join(dir, "data"), "/src/data"}, {filepath.Join(dir, "toone"), "/bin/x"}}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeRootfs(&b, &job); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := cpio.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := got[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		for d := filepath.Dir(h.Name); d != "."; d = filepath.Dir(d) {
			if _, before := got[d]; !before {
				t.Errorf("%s comes before its folder %s", h.Name, d)
			}
		}
		if h.Linkname != "" {
			content = []byte("-> " + h.Linkname)
		}
		got[h.Name] = string(content)
	}
	for name, want := range map[string]string{
		"init": "INIT", "src/data/a": "A", "src/data/deep/er/b": "", "src/data/link": "-> a", "bin/x": "1", "work/dir": "", "root": "",
	} {
		if have, ok := got[name]; !ok || have != want {
			t.Errorf("%s holds %q, there: %v; want %q", name, have, ok, want)
		}
	}
	if c := got["lab/config.json"]; !strings.Contains(c, `"HDBENCH_LAB=user-mode Linux 6.1, `) || !strings.Contains(c, `"dir":"/work/dir"`) {
		t.Errorf("config %s", c)
	}
}

func TestUnpackStaysInItsFolder(t *testing.T) {
	for name, ok := range map[string]bool{"a/b": true, "../evil": false, "/evil": false, "link/evil": false} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		u := newUnpacker(dir)
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: 1}), flush(w, "x")); err != nil {
			t.Fatal(err)
		}
		for _, c := range b.Bytes() { // in parts of a byte
			if err := u.write([]byte{c}); err != nil {
				t.Fatal(err)
			}
		}
		if err := u.close(); (err == nil) != ok {
			t.Errorf("%s: error %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(parent, "evil")); err == nil {
			t.Errorf("%s was written outside", name)
		}
	}
}

func flush(w *tar.Writer, content string) error {
	_, err := w.Write([]byte(content))
	return errors.Join(err, w.Close())
}

func TestCutArchiveIsAnError(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: 1000}); err != nil {
		t.Fatal(err)
	}
	u := newUnpacker(t.TempDir())
	if err := u.write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := u.close(); err == nil {
		t.Error("half an archive is no error")
	}
}

func TestBadJobs(t *testing.T) {
	k := &Kernel{Machine: UML}
	for want, j := range map[string]Job{
		"no command":       {Kernel: k},
		"commas and space": {Kernel: k, Argv: []string{"/x"}, Out: filepath.Join(t.TempDir(), "a,b")},
	} {
		if _, err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for _, s := range []string{"", "a", "a:b", ":/b"} {
		if f, err := ParseFile(s); err == nil {
			t.Errorf("%q was read as %+v", s, f)
		}
	}
	if _, err := ParseMachine("vax"); err == nil || !strings.Contains(err.Error(), "uml and qemu") {
		t.Errorf("error %v", err)
	}
}

func TestDynamicProgramIsRefused(t *testing.T) {
	for kind, want := range map[elf.ProgType]error{elf.PT_LOAD: nil, elf.PT_INTERP: errDynamic} {
		h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
		copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01") // 64 bits, little-endian, version 1
		var b bytes.Buffer
		if err := errors.Join(binary.Write(&b, binary.LittleEndian, h), binary.Write(&b, binary.LittleEndian, elf.Prog64{Type: uint32(kind)})); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		write(t, dir, map[string]string{"prog": b.String()})
		if err := CheckStatic(filepath.Join(dir, "prog")); !errors.Is(err, want) {
			t.Errorf("program with %v: error %v, want %v", kind, err, want)
		}
	}
}
