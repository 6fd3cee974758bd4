package kinds

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What is no empty folder or socket of the sandbox's own stays, whatever a link says.
func TestRemoveRuns(t *testing.T) {
	runs := t.TempDir()
	k := Kind{Driver: "lxc", Leaves: []string{".dev", ".fuse", ".link", ".file", ".sock", ".never"}}
	if err := k.RemoveRuns(runs, "web"); err != nil {
		t.Errorf("where the driver has never run: %v", err)
	}
	dir := filepath.Join(runs, "lxc")
	for _, name := range []string{"web.dev", "web.fuse/used", "web2.dev", "web.other"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("web2.dev", filepath.Join(dir, "web.link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "web.file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "web.sock")})
	if err != nil {
		t.Fatal(err)
	}
	socket.SetUnlinkOnClose(false)
	socket.Close()
	if err := k.RemoveRuns(runs, "web"); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"web.file", "web.fuse", "web.link", "web.other", "web2.dev"}; !slices.Equal(left, want) {
		t.Errorf("there are %v, and not %v", left, want)
	}
	if err := (&Kind{Driver: "lxc/web.file", Leaves: k.Leaves}).RemoveRuns(runs, "web"); err == nil {
		t.Error("a driver's folder that is none is no error")
	}
}
