package bound

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder of the host may be filled by others without end, or be made something else:
// no more than was asked for is read of it, and nothing waits for a FIFO's other end.
func TestFirstEntries(t *testing.T) {
	dir := t.TempDir()
	full, empty, fifo, link := filepath.Join(dir, "full"), filepath.Join(dir, "empty"), filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	for _, d := range []string{full, empty} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(full, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(full, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		want   int
		folder bool
	}{{full, 7, true}, {empty, 0, true}, {fifo, 0, false}, {link, 0, false}} {
		entries, err := firstEntries(c.path, 7)
		if len(entries) != c.want || (err == nil) != c.folder {
			t.Errorf("%s: %d entries, %v", filepath.Base(c.path), len(entries), err)
		}
	}
}
