package stage_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/stage"
)

// What is hidden in /sys is hidden also where the way there is a link, and where somebody
// renames the folder meanwhile that it is shown in.
func TestFiguresInAFolderOfOthers(t *testing.T) {
	dir := host(t)
	src := filepath.Join(dir, "src")
	if err := errors.Join(os.MkdirAll(src+"/a/sys", 0o755), os.MkdirAll(src+"/b/sys", 0o755), os.Symlink("a", src+"/link")); err != nil {
		t.Fatal(err)
	}
	st, err := stage.New(filepath.Join(dir, "stage"), reader, stage.Contexts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(); stage.Remove(filepath.Join(dir, "stage")) })
	place, err := st.Place("root")
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	source, err := stage.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if err := place.MountAt("/srv", source, stage.Options{Writable: true}); err != nil {
		t.Fatal(err)
	}
	// hidden shows figures while others do something, and counts what is hidden in them.
	hidden := func(at string, others func()) (n int) {
		t.Helper()
		stop := make(chan struct{})
		var under sync.WaitGroup
		under.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					others()
				}
			}
		})
		err := place.FiguresAt(at, "sys")
		close(stop)
		under.Wait()
		if err != nil {
			t.Fatal(err)
		}
		table, err := stage.Mounts()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.Below(filepath.Join(dir, "stage/root/srv")) {
			if m.Kind == "sysfs" {
				n += len(table.Below(m.Path))
				if err := unix.Unmount(m.Path, unix.MNT_DETACH); err != nil {
					t.Fatal(err)
				}
			}
		}
		return n
	}
	want := hidden("/srv/a/sys", func() {})
	if got := hidden("/srv/link/sys", func() {}); want == 0 || got != want {
		t.Errorf("behind a link %d folders are hidden, and else %d", got, want)
	}
	for range 100 {
		got := hidden("/srv/a/sys", func() {
			_ = unix.Renameat2(unix.AT_FDCWD, src+"/a", unix.AT_FDCWD, src+"/b", unix.RENAME_EXCHANGE)
		})
		if got != want {
			t.Fatalf("while the folder is renamed %d folders are hidden, and else %d", got, want)
		}
	}
}
