package sockets

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
)

// A folder goes when neither its server nor a client has it. Where all servers have theirs,
// other sandboxes are not looked at: there may be many.
func TestPrune(t *testing.T) {
	f := fresh(t)
	folder := func(server, name string) {
		if _, err := f.Make(state.Sockets, server, name); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (found []string) {
		paths, err := filepath.Glob(f.Path(state.Sockets, "*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			found = append(found, filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)))
		}
		return found
	}
	f.tell(t, "php", manifest.Version, server("shop"))
	f.tell(t, "web", manifest.Version, manifest.Mount{Kind: manifest.Socket, Target: "/run/b", Source: "b.sock", From: "gone"})
	folder("php", "a.sock")
	folder("php", "old.sock")
	folder("gone", "b.sock")
	folder("nobody", "c.sock")
	if err := f.Prune(); err != nil {
		t.Fatal(err)
	}
	if got := left(); !slices.Equal(got, []string{"gone/b.sock", "php/a.sock"}) {
		t.Errorf("left is %v", got)
	}

	f.tell(t, "web", manifest.Version)
	if err := f.Prune(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path("web", state.Own, kinds.ManifestName), []byte("no manifest"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Prune(); err != nil {
		t.Errorf("another sandbox was read: %v", err)
	}
	if got := left(); !slices.Equal(got, []string{"php/a.sock"}) {
		t.Errorf("left is %v", got)
	}
	folder("php", "old.sock")
	if err := f.Prune(); err == nil {
		t.Error("a folder that web may have goes, though what web was told cannot be read")
	}
}
