package fleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// No script has a character that a login shell would see in single quotes, and
// each is one that /bin/sh can parse.
func TestScriptsCanBeQuoted(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for name, s := range map[string]script{
		"look": scriptLook(), "has": scriptHas(hash, "hdbench"), "store": scriptStore(hash, "derper-1.102.5"), "agent": scriptAgent(hash, "hdbench", "relay"),
	} {
		if i := strings.IndexAny(string(s), unquotable); i >= 0 {
			t.Errorf("%s: %q at %q", name, string(s)[i], s)
		}
		if strings.Contains(string(s), "HASH") || strings.Contains(string(s), "SAY") || strings.Contains(string(s), "NAME") {
			t.Errorf("%s: not filled in: %s", name, s)
		}
		if out, err := exec.Command("/bin/sh", "-n", "-c", string(s)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if s := scriptAgent(hash, "hdbench", "HASH-SAY-NAME"); !strings.HasSuffix(string(s), " HASH-SAY-NAME") {
		t.Errorf("an agent's name is changed: %s", s)
	}
}

// The store script as a host runs it.
func TestStoreKeepsOnlyWhatHasTheRightHash(t *testing.T) {
	cache := t.TempDir()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("a binary"), 0o644); err != nil {
		t.Fatal(err)
	}
	hash, err := HashFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run := func(s script, stdin string) string {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-c", string(s))
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	at := filepath.Join(cache, "hdbench", "bin", hash, "f")
	if out := run(scriptHas(hash, "f"), ""); out != "" {
		t.Errorf("nothing is there: %q", out)
	}
	if out := run(scriptStore(hash, "f"), "a bin"); strings.Contains(out, "stored") {
		t.Errorf("half of it: %q", out)
	}
	if files, err := os.ReadDir(filepath.Dir(at)); err != nil || len(files) > 0 {
		t.Errorf("half of it leaves %v, %v", files, err)
	}
	old := filepath.Join(cache, "hdbench", "bin", strings.Repeat("b", 64))
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("touch", "-d", "40 days ago", old).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out := run(scriptStore(hash, "f"), "a binary"); out != mark+"stored yes\n" {
		t.Errorf("all of it: %q", out)
	}
	if info, err := os.Stat(at); err != nil || info.Mode() != 0o700 {
		t.Errorf("stored: %v, %v", info, err)
	}
	if out := run(scriptHas(hash, "f"), ""); !strings.HasPrefix(out, mark+"sum "+hash) {
		t.Errorf("it is there: %q", out)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("what nobody has used for 40 days is still there: %v", err)
	}
}

func TestDestinations(t *testing.T) {
	for _, ok := range []string{"relay", "me@relay", "relay.example.org", "me@10.0.0.1", "ssh://me@relay:2222", "ssh://relay", "fe80::1%eth0", "me@2001:db8::1", "ssh://me@[2001:db8::1]:22", "web_1"} {
		if err := CheckDestination(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "-oProxyCommand=x", "a b", "a;b", "$(id)", "a`id`", "me@-x", "-l@host", "a'b", "ssh://me:secret@host", "a\nb", "host/path", "host:22", "me@host:22", strings.Repeat("x", 300)} {
		if err := CheckDestination(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for in, want := range map[string]string{"me@relay": "relay", "ssh://me@relay:22": "ssh://relay:22", "relay": "relay", "ssh://relay": "ssh://relay"} {
		if got := ShownDestination(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"me@relay", "-oProxyCommand=id", "ssh://me@[::1]:22", "a;b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckDestination(s) == nil && (strings.HasPrefix(s, "-") || strings.ContainsAny(s, " \t\n'\"`$;&|<>()\\!*?{}#~=^")) {
			t.Errorf("%q is taken", s)
		}
	})
}

func TestBinaryForAMachine(t *testing.T) {
	dir := t.TempDir()
	o := Options{Binary: filepath.Join(dir, "hdbench"), Version: "v9"}
	machine, other, arch := "x86_64", "aarch64", "arm64"
	if runtime.GOARCH == "arm64" {
		machine, other, arch = "aarch64", "x86_64", "amd64"
	}
	if got, err := binaryFor(o, "c1", machine); err != nil || got != o.Binary {
		t.Errorf("our own: %s, %v", got, err)
	}
	_, err := binaryFor(o, "c1", other)
	beside := filepath.Join(dir, "hdbench-linux-"+arch)
	if err == nil || !strings.Contains(err.Error(), "GOARCH="+arch+" go build") || !strings.Contains(err.Error(), beside) || !strings.Contains(err.Error(), "v9") {
		t.Errorf("another: %v", err)
	}
	if err := os.WriteFile(beside, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := binaryFor(o, "c1", other); err != nil || got != beside {
		t.Errorf("built for it: %s, %v", got, err)
	}
	if _, err := binaryFor(o, "c1", "vax"); err == nil {
		t.Error("a vax")
	}
}

func TestShippedNames(t *testing.T) {
	for in, want := range map[string]string{"/x/derper-1.102.5": "derper-1.102.5", "/x/$(id)": "relay", "/x/a b": "relay", "/x/-rf": "relay", "/x/it's": "relay"} {
		if got := shippedName(in); got != want {
			t.Errorf("%s is called %s, want %s", in, got, want)
		}
	}
}
