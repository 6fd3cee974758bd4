package embed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
)

// A root folder is a process's until that ends, and not until its connection does: as
// long does libvirt keep its own lock there, and the next process's driver would not begin.
func TestARootStaysItsProcesss(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // QEMU's user passes through
		t.Fatal(err)
	}
	folder := state.Folder(filepath.Join(dir, "state"))
	first, err := ownRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	d := &Driver{Folder: folder, root: first}
	d.Close()
	if again, err := ownRoot(folder); err != nil || again != first {
		t.Errorf("the same process gets another one: %v", err)
	}
	another, err := lockfile.Open(first.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer another.Close()
	if free, err := lockfile.Try(another, lockfile.Exclusive); free || err != nil {
		t.Errorf("another process may have it: %t, %v", free, err)
	}
	next, err := takeRoot(folder)
	if err != nil || next.Name() == first.Name() {
		t.Errorf("another process gets %v, %v", next, err)
	}
}

// What a driver that was killed has left in its folder is gone when the next one begins
// there; what lies elsewhere stays, whoever links to it.
func TestARootIsCleared(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "run/qemu")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "web.pid"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "lib")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := clearRoot(dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "etc" {
		t.Errorf("%v, %v: want etc alone", entries, err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

// What a killed process has left is cleared by the next one, whichever root folder that
// takes; what another one uses stays.
func TestFreeRootsAreCleared(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // QEMU's user passes through
		t.Fatal(err)
	}
	folder := state.Folder(filepath.Join(dir, "state"))
	if err := ClearFree(folder); err != nil {
		t.Errorf("where no machine ever ran: %v", err)
	}
	left := func(name string) string {
		if _, err := folder.Make(state.Embed, name, state.EmbedConfig); err != nil {
			t.Fatal(err)
		}
		log := folder.Path(state.Embed, name, "log/qemu/shell.log")
		if err := errors.Join(os.MkdirAll(filepath.Dir(log), 0o755), os.WriteFile(log, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		return log
	}
	free, used := left("1"), left("2")
	lock, err := lockRoot(folder.Path(state.Embed, "2"))
	if lock == nil || err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := ClearFree(folder); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(free); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", free, err)
	}
	if _, err := os.Stat(used); err != nil {
		t.Error(err)
	}
}
