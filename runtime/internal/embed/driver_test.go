package embed

import (
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
