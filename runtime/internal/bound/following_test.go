package bound

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// The user whose folder a sandbox sees as its /etc has no other folder's file handed to it,
// and holds nobody up.
func TestFollowingIsOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a folder away takes root")
	}
	dir, err := os.MkdirTemp("", "sbx-following-") // whose parents, unlike t.TempDir's, are for all
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	closed := t.TempDir()
	err = errors.Join(
		os.Chmod(dir, 0o755), os.WriteFile(closed+"/hosts", []byte("secret"), 0o644), os.Chmod(closed, 0o700),
		os.Mkdir(dir+"/etc", 0o755), os.WriteFile(dir+"/etc/hosts", []byte("theirs"), 0o644),
		os.Symlink(closed, dir+"/link"), unix.Mkfifo(dir+"/fifo", 0o666),
		os.Chown(dir, 70_000, 70_000),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"etc": "own\ntheirs", "link": "", "fifo": ""} {
		type answer struct {
			content []byte
			err     error
		}
		done := make(chan answer, 1)
		go func() {
			content, err := InlineContent(manifest.Mount{Content: "own\n", Source: dir + "/" + name + "/hosts"})
			done <- answer{content, err}
		}()
		select {
		case a := <-done:
			if string(a.content) != want || (a.err == nil) != (want != "") {
				t.Errorf("%s: %q, %v", name, a.content, a.err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: it is waited for", name)
		}
	}
}
