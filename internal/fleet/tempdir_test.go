package fleet

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStaleFoldersAreRemovedAndNoOthers(t *testing.T) {
	parent := t.TempDir()
	mine, remove, err := tempDir(parent, "kind")
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	stale := filepath.Join(parent, "kind-1")
	elsewhere := t.TempDir()
	for _, d := range []string{stale, filepath.Join(parent, "other-1"), filepath.Join(elsewhere, "kept")} {
		if err := os.MkdirAll(filepath.Join(d, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(elsewhere, filepath.Join(parent, "kind-2")); err != nil {
		t.Fatal(err)
	}
	second, removeSecond, err := tempDir(parent, "kind")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		mine: true, second: true, stale: false,
		filepath.Join(parent, "other-1"): true, filepath.Join(parent, "kind-2"): true, filepath.Join(elsewhere, "kept"): true,
	} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", path, err == nil, want)
		}
	}
	removeSecond()
	if _, err := os.Lstat(second); err == nil {
		t.Error("it is not removed")
	}
}
