package sockets

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
)

// fresh is a state folder that nobody else can change.
func fresh(t *testing.T) Folders {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: folders get other owners")
	}
	base, err := os.MkdirTemp("/tmp", "sbx-sockets-")
	if err == nil {
		err = os.Chmod(base, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return Folders{state.Folder(filepath.Join(base, "sbx"))}
}

// tell writes what a sandbox's first process is told, of a version.
func (f Folders) tell(t *testing.T, sandbox string, version int, mounts ...manifest.Mount) {
	t.Helper()
	data, err := (&manifest.Manifest{Version: version, Mounts: mounts}).Encode()
	if err == nil {
		_, err = f.Make(sandbox, state.Own)
	}
	if err == nil {
		err = os.WriteFile(f.Path(sandbox, state.Own, kinds.ManifestName), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func server(to ...string) manifest.Mount {
	return manifest.Mount{Kind: manifest.Socket, Target: "/run/a", Source: "a.sock", Writable: true, To: to}
}

var client = manifest.Mount{Kind: manifest.Socket, Target: "/run/a", Source: "a.sock", From: "php"}

func sandbox(name string) *bound.Sandbox {
	s := new(bound.Sandbox)
	s.Name, s.Log = name, func(string) {}
	return s
}

// Several that remove sandboxes at once do not get in each other's way.
func TestPruneAtOnce(t *testing.T) {
	f := fresh(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 300 {
				unlock, err := f.lock(t.Context())
				if err == nil {
					_, err = f.Make(state.Sockets, "php", "a.sock")
					unlock()
				}
				if err := errors.Join(err, f.Prune()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// What runs as an earlier or later sbx has told it keeps its sockets, and gives them to
// nobody whom it does not name.
func TestOtherVersions(t *testing.T) {
	f := fresh(t)
	f.tell(t, "php", manifest.Version+1, server("shop"))
	path, err := f.Make(state.Sockets, "php", "a.sock")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Prune(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("another sandbox is removed, and its folder is gone: %v", err)
	}
	f.tell(t, "web", manifest.Version, client)
	if _, err := f.agree(t.Context(), sandbox("web"), client, of("web", client)); err == nil {
		t.Error("web gets the socket that php gives to shop alone")
	}
}

// A client that the server names no more does not come by the folder that it has now,
// though both start at the same moment.
func TestLeftBehindAtOnce(t *testing.T) {
	f := fresh(t)
	f.tell(t, "web", manifest.Version, client)
	end := of("web", client)
	for round := range 300 {
		f.tell(t, "php", manifest.Version, server("shop", "web"))
		if source, err := f.agree(t.Context(), sandbox("php"), server("shop", "web"), end); err != nil {
			t.Fatal(err)
		} else {
			source.Close()
		}
		var both sync.WaitGroup
		var its, now *stage.Source
		both.Go(func() { its, _ = f.agree(t.Context(), sandbox("web"), client, end) }) // refused, or given the older one
		both.Go(func() {
			f.tell(t, "php", manifest.Version, server("shop"))
			now, _ = f.agree(t.Context(), sandbox("php"), server("shop"), end)
		})
		both.Wait()
		if now == nil {
			t.Fatal("the server has no folder")
		}
		if its != nil && its.ID == now.ID {
			t.Fatalf("in round %d, web has the folder that php gives to shop alone", round)
		}
		now.Close()
		if its != nil {
			its.Close()
		}
	}
}
