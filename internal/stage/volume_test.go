package stage_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/stage"
)

// volumeDir is a folder of root's on a disk: what is in memory knows no volumes here.
func volumeDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	dir, err := os.MkdirTemp("/var/lib", "sbx-volume-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// openVolume opens one, or ends the test where this host has no loop devices, as long as
// that is what is said.
func openVolume(t *testing.T, path string, size int64) *stage.Source {
	t.Helper()
	v, err := stage.OpenVolume(path, size)
	if _, none := os.Stat("/dev/loop-control"); none != nil {
		if err == nil || !strings.Contains(err.Error(), "the kernel needs its module loop") {
			t.Errorf("without loop devices: %v", err)
		}
		t.SkipNow()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// onStage mounts the source on a stage in a folder, writable, and gives its path.
func onStage(t *testing.T, dir string, source *stage.Source) string {
	t.Helper()
	st, err := stage.New(filepath.Join(dir, "stage"), reader, stage.Contexts{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(); stage.Remove(filepath.Join(dir, "stage")) })
	place, err := st.Place("it")
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	inner, err := place.Mount(source, stage.Options{Writable: true})
	if err != nil {
		t.Fatal(err)
	}
	inner.Close()
	return filepath.Join(dir, "stage", "it")
}

// fill writes until there is no more space, and says how much that was.
func fill(t *testing.T, path string) (written int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := bytes.Repeat([]byte("x"), 1<<20); ; {
		n, err := f.Write(block)
		written += int64(n)
		if errors.Is(err, unix.ENOSPC) {
			return written
		}
		if err != nil || written > 1<<30 {
			t.Fatal(written, err)
		}
	}
}

// What is written to a volume is bounded by its size and stays; a larger one grows, with
// what is in it.
func TestVolume(t *testing.T) {
	path := filepath.Join(volumeDir(t), "deep", "data")
	first := openVolume(t, path, 16<<20+5)
	if err := first.Give(stage.Folder{UID: reader, GID: reader, Mode: 0o750}); err != nil || first.UID != reader || !first.IsDir() {
		t.Errorf("given: %v, of %d", err, first.UID)
	}
	at := onStage(t, host(t), first)
	if entries, err := os.ReadDir(at); err != nil || len(entries) != 0 {
		t.Errorf("a new volume has %v, %v", entries, err)
	}
	if err := first.Allows(reader, reader, true); err != nil {
		t.Error(err)
	}
	if n := fill(t, filepath.Join(at, "full")); n < 4<<20 || n > 16<<20 {
		t.Errorf("%d bytes could be written", n)
	}
	if id := stage.Identify(path); id != first.ID.String() {
		t.Errorf("it is %s, and %s is noted", id, first.ID)
	}

	second := openVolume(t, path, 16<<20) // for another sandbox at the same time
	other := onStage(t, host(t), second)
	if err := os.WriteFile(filepath.Join(other, "more"), nil, 0o600); err != nil { // it takes no block
		t.Fatal(err)
	}
	for _, where := range []string{at, other} { // one file system, not two
		if names, err := filepath.Glob(where + "/*"); err != nil || len(names) != 2 {
			t.Errorf("%s has %v, %v", where, names, err)
		}
	}
	for _, mount := range []string{at, other} {
		if err := unix.Unmount(filepath.Dir(mount), unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	second.Close()

	third := openVolume(t, path, 32<<20)
	if third.UID != reader {
		t.Errorf("it belongs to %d", third.UID)
	}
	if err := third.Give(stage.Folder{UID: reader + 1}); err != nil || third.UID != reader {
		t.Errorf("one that is given is given again: %v", err)
	}
	again := onStage(t, host(t), third)
	if n := fill(t, filepath.Join(again, "more")); n < 12<<20 || n > 20<<20 {
		t.Errorf("%d bytes could be written to what has grown", n)
	}
	var info unix.Statfs_t
	if err := unix.Statfs(again, &info); err != nil || info.Flags&unix.ST_NOSUID == 0 || info.Flags&unix.ST_NODEV == 0 {
		t.Errorf("it is mounted with %#x, %v", info.Flags, err)
	}
}

// What somebody else could have made is not mounted by the host's kernel, and a file that
// is no volume is left as it is.
func TestVolumesOfOthers(t *testing.T) {
	dir := volumeDir(t)
	good := filepath.Join(dir, "good")
	openVolume(t, good, 32<<20).Close()
	theirs := filepath.Join(dir, "theirs")
	if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, reader, reader)); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		make func(path string) error
		size int64
		want string
	}{
		{func(p string) error { return os.Mkdir(p, 0o755) }, 16 << 20, "it is a folder"},
		{func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) }, 16 << 20, "no volume that sbx has made"},
		{func(p string) error { return unix.Mkfifo(p, 0o600) }, 16 << 20, "it is no file"},
		{func(p string) error { return os.Symlink(good, p) }, 32 << 20, "symbolic links"},
		{func(p string) error { return os.Link(good, p) }, 32 << 20, "others than root can write"},
		{func(p string) error { os.Remove(filepath.Join(dir, "4")); return os.Link(good, p) }, 32 << 20, "others than root can write"},
		{func(p string) error {
			os.Remove(filepath.Join(dir, "5"))
			return errors.Join(os.Rename(good, p), os.Chown(p, reader, reader))
		}, 32 << 20, "others than root can write"},
		{func(p string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "6"), p), os.Chown(p, 0, 0), os.Chmod(p, 0o622))
		}, 32 << 20, "others than root can write"},
		{func(p string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "7"), p), os.Chmod(p, 0o600))
		}, 16 << 20, `none is made smaller: say size: "32MiB"`},
	} {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		v, err := stage.OpenVolume(path, c.size)
		if err == nil {
			v.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v, want %q", i, err, c.want)
		}
		if after, err := os.Lstat(path); err != nil || after.Size() != before.Size() {
			t.Errorf("%d: it is changed: %v", i, err)
		}
	}
	if _, err := stage.OpenVolume(filepath.Join(theirs, "new"), 16<<20); err == nil || !strings.Contains(err.Error(), "can put another file in its place") {
		t.Errorf("in a folder of others: %v", err)
	}
}
