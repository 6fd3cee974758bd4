package hostpath_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
)

// other is a user whom no file of the host belongs to.
const other = 70_000

// theirs is a folder of another user's.
func theirs(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("giving a folder away takes root")
	}
	dir, err := os.MkdirTemp("", "sbx-hostpath-") // whose parents, unlike t.TempDir's, are for all
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, other, other)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Read reads what another user's folder holds, and neither waits for what they put there
// nor is led elsewhere by it.
func TestRead(t *testing.T) {
	dir := theirs(t)
	secret := filepath.Join(t.TempDir(), "secret")
	err := errors.Join(
		os.WriteFile(secret, []byte("secret"), 0o600),
		os.WriteFile(dir+"/file", []byte("theirs"), 0o644),
		os.Symlink(secret, dir+"/link"),
		os.Symlink("file", dir+"/own"),
		os.Symlink(filepath.Dir(secret), dir+"/up"),
		unix.Mkfifo(dir+"/fifo", 0o666),
		os.Symlink("/dev/zero", dir+"/zero"),
	)
	if err != nil {
		t.Fatal(err)
	}
	who := "user 70000 can change"
	if info, err := os.Stat(os.TempDir()); err == nil && info.Mode()&0o002 != 0 {
		who = "everybody can change" // as of a folder below is said, too
	}
	for name, says := range map[string]string{
		"file": "", "link": who, "own": who, "up/secret": who, "zero": who,
		"fifo": "it is not a file", ".": "it is not a file", "none": "no such file", "file/x": "not a directory",
	} {
		data, err := hostpath.ReadAll(filepath.Join(dir, name), 100)
		if says == "" {
			if err != nil || string(data) != "theirs" {
				t.Errorf("%s: %q, %v", name, data, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %q, %v; want %q", name, data, err, says)
		}
	}
	if data, err := hostpath.ReadAll(dir+"/file", 5); err == nil {
		t.Errorf("more than was asked for: %q", data)
	}
	t.Chdir(dir)
	if data, err := hostpath.ReadAll("file", 100); err != nil || string(data) != "theirs" {
		t.Errorf("by a relative path: %q, %v", data, err)
	}
}
