package stage_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/stage"
)

// reader is a user that no file of the host belongs to.
const reader = 70_000

// inside says that this is the process with mounts of its own.
const inside = "SBX_STAGE_TEST"

// TestMain runs the tests in a mount namespace of their own, in which mounts are
// passed on as systemd has it.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 || os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := again.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// host is a file system in memory that stands for a host's.
func host(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "sbx-stage-")
	if err != nil {
		t.Fatal(err)
	}
	mount(t, "tmpfs", dir)
	t.Cleanup(func() {
		if err := errors.Join(unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func mount(t *testing.T, kind, at string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(at, 0o755), unix.Mount(kind, at, kind, 0, "")); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// read gives a file's content as the reader sees it, or the error.
func read(path string) (content string) {
	err := eyes.Of(reader, reader, func() error {
		data, err := os.ReadFile(path)
		content = string(data)
		return err
	})
	if err != nil {
		return err.Error()
	}
	return content
}

// mounted stages a source at stage/NAME and lets f add to it.
func mounted(t *testing.T, dir, source string, o stage.Options, f func(*stage.Place)) {
	t.Helper()
	s, err := stage.New(dir, reader, stage.Contexts{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	t.Cleanup(func() {
		if err := stage.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	place, err := s.Place("it")
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	from := open(t, source)
	inner, err := place.Mount(from, o)
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	f(inner)
	if err := s.Seal(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *stage.Source {
	t.Helper()
	s, err := stage.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func nothing(*stage.Place) {}

// What lies below a folder that the reader may not search is there on the stage,
// and for nobody else.
func TestClosedParents(t *testing.T) {
	dir := host(t)
	write(t, dir+"/closed/src/file", "content")
	if err := os.Chmod(dir+"/closed", 0o700); err != nil {
		t.Fatal(err)
	}
	mounted(t, dir+"/stage", dir+"/closed/src", stage.Options{}, nothing)
	if got := read(dir + "/closed/src/file"); !strings.Contains(got, "permission denied") {
		t.Errorf("by its own path: %s", got)
	}
	if got := read(dir + "/stage/it/file"); got != "content" {
		t.Errorf("on the stage: %s", got)
	}
	err := eyes.Of(reader+1, reader, func() error { _, err := os.ReadFile(dir + "/stage/it/file"); return err })
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("another user: %v", err)
	}
	if got := eyes.Blocked(reader, reader, dir+"/closed/src/file"); got != dir+"/closed" {
		t.Errorf("blocked by %q", got)
	}
}

// Nothing on the stage can be written unless that is asked for, and then not what
// is mounted below the source.
func TestReadOnly(t *testing.T) {
	dir := host(t)
	write(t, dir+"/src/file", "content")
	mount(t, "tmpfs", dir+"/src/inner")
	write(t, dir+"/src/inner/file", "inner")
	mounted(t, dir+"/ro", dir+"/src", stage.Options{}, nothing)
	mounted(t, dir+"/rw", dir+"/src", stage.Options{Writable: true}, nothing)
	for path, want := range map[string]error{
		"/ro/it/file": unix.EROFS, "/ro/it/inner/file": unix.EROFS, "/ro/new": unix.EROFS,
		"/rw/it/file": nil, "/rw/it/inner/file": unix.EROFS,
	} {
		if err := os.WriteFile(dir+path, []byte("changed"), 0o644); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := read(dir + "/ro/it/inner/file"); got != "inner" {
		t.Errorf("what is mounted below: %s", got)
	}
}

// No program on the stage gives anybody another user's rights, and no device opens,
// also in what is mounted below the source.
func TestNoSetIDsAndNoDevices(t *testing.T) {
	dir := host(t)
	mount(t, "tmpfs", dir+"/src/inner")
	for _, at := range []string{dir + "/src/null", dir + "/src/inner/null"} {
		if err := unix.Mknod(at, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
			t.Fatal(err)
		}
	}
	mounted(t, dir+"/ro", dir+"/src", stage.Options{}, nothing)
	mounted(t, dir+"/rw", dir+"/src", stage.Options{Writable: true}, nothing)
	for _, at := range []string{"/ro/it", "/ro/it/inner", "/rw/it", "/rw/it/inner"} {
		if _, err := os.ReadFile(dir + at + "/null"); !errors.Is(err, unix.EACCES) {
			t.Errorf("a device of %s: %v", at, err)
		}
		var info unix.Statfs_t
		if err := unix.Statfs(dir+at, &info); err != nil || info.Flags&unix.ST_NOSUID == 0 {
			t.Errorf("%s may hold set-user-id programs: %v", at, err)
		}
	}
}

// What is mounted later, on the host or on the stage, stays where it was mounted.
func TestPrivate(t *testing.T) {
	dir := host(t)
	write(t, dir+"/src/a/file", "a")
	write(t, dir+"/src/b/file", "b")
	mounted(t, dir+"/stage", dir+"/src", stage.Options{}, nothing)
	mount(t, "tmpfs", dir+"/src/a")
	mount(t, "tmpfs", dir+"/stage/it/b")
	if got := read(dir + "/stage/it/a/file"); got != "a" {
		t.Errorf("a mount of the host's reached the stage: %s", got)
	}
	if got := read(dir + "/src/b/file"); got != "b" {
		t.Errorf("a mount of the stage's reached the host: %s", got)
	}
}

// The kernel's own file systems are covered, also those that are mounted in others.
func TestControlIsCovered(t *testing.T) {
	dir := host(t)
	mount(t, "proc", dir+"/src/proc")
	mount(t, "tmpfs", dir+"/src/inner")
	mount(t, "sysfs", dir+"/src/inner/sys")
	mount(t, "tmpfs", dir+"/src/inner/sys/kernel")
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	mounted(t, dir+"/link/stage", dir+"/src", stage.Options{}, nothing)
	for _, path := range []string{"/stage/it/proc", "/stage/it/inner/sys"} {
		entries, err := os.ReadDir(dir + path)
		if err != nil || len(entries) > 0 {
			t.Errorf("%s: %v, %v", path, entries, err)
		}
	}
	table, err := stage.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range table.Below(dir + "/stage") {
		if m.Covered {
			t.Errorf("%s is %s", m.Path, m.Kind)
		}
	}
	if _, err := stage.Open(dir + "/src/proc/sys"); err == nil || !strings.Contains(err.Error(), "proc") {
		t.Errorf("as a source: %v", err)
	}
}

// A mount point that a read-only folder has not is put in beside what is there.
func TestPointsInReadOnlyFolders(t *testing.T) {
	dir := host(t)
	for path, content := range map[string]string{"conf.d/a.conf": "a", "conf.d/more/b.conf": "b", "other": "o"} {
		write(t, dir+"/src/"+path, content)
	}
	write(t, dir+"/mine", "mine")
	if err := errors.Join(os.Symlink("a.conf", dir+"/src/conf.d/link"), os.Symlink("/nowhere", dir+"/src/conf.d/dangling"), os.Chmod(dir+"/src/conf.d", 0o711)); err != nil {
		t.Fatal(err)
	}
	mine := open(t, dir+"/mine")
	mounted(t, dir+"/stage", dir+"/src", stage.Options{}, func(p *stage.Place) {
		for _, path := range []string{"/conf.d/mine.conf", "/conf.d/dangling", "/conf.d/x/y/mine.conf", "/other"} {
			if err := p.MountAt(path, mine, stage.Options{}); err != nil {
				t.Error(err)
			}
		}
		if err := p.MountAt("/mine", mine, stage.Options{}); err != nil { // the folder around conf.d
			t.Error(err)
		}
		if err := p.MountAt("/conf.d/last", mine, stage.Options{}); err != nil {
			t.Error(err)
		}
		if err := p.MountAt("/conf.d/more", mine, stage.Options{}); err == nil || !strings.Contains(err.Error(), "folder") {
			t.Errorf("a file on a folder: %v", err)
		}
		if err := p.MemoryAt("/memory", stage.Memory{Size: 1 << 20, Mode: 0o700, UID: reader, GID: reader}); err != nil {
			t.Error(err)
		}
	})
	for path, want := range map[string]string{
		"a.conf": "a", "more/b.conf": "b", "link": "a", "mine.conf": "mine", "last": "mine", "../mine": "mine", "dangling": "mine", "x/y/mine.conf": "mine", "../other": "mine",
	} {
		if got := read(dir + "/stage/it/conf.d/" + path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if err := os.WriteFile(dir+"/stage/it/conf.d/new", nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("the folder can be written: %v", err)
	}
	info, err := os.Stat(dir + "/stage/it/conf.d")
	if err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("its mode: %v, %v", info.Mode(), err)
	}
	err = eyes.Of(reader, reader, func() error { return os.WriteFile(dir+"/stage/it/memory/new", nil, 0o644) })
	if err != nil {
		t.Errorf("the memory: %v", err)
	}
	if _, err := os.Lstat(dir + "/src/conf.d/mine.conf"); !os.IsNotExist(err) {
		t.Errorf("the host's folder has been written to: %v", err)
	}
}

// Access control lists count.
func TestAllows(t *testing.T) {
	dir := host(t)
	write(t, dir+"/src/file", "")
	if err := errors.Join(os.Chmod(dir+"/src/file", 0o600), os.Chmod(dir+"/src", 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/src", "/src/file"} {
		if err := open(t, dir+path).Allows(reader, reader, false); !errors.Is(err, unix.EACCES) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"/src", "/src/file"} {
		if err := unix.Setxattr(dir+path, "system.posix_acl_access", readerMayRead(), 0); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir+path)
		if err := s.Allows(reader, reader, false); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if err := s.Allows(reader, reader, true); !errors.Is(err, unix.EACCES) {
			t.Errorf("%s for writing: %v", path, err)
		}
	}
}

// readerMayRead is an access control list: rwx for the owner, r-x for the reader
// and nothing for anybody else (linux/posix_acl_xattr.h).
func readerMayRead() []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2) // its version
	const nobody = ^uint32(0)
	for _, e := range []struct {
		tag, may uint16
		id       uint32
	}{{0x01, 7, nobody}, {0x02, 5, reader}, {0x04, 0, nobody}, {0x10, 5, nobody}, {0x20, 0, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.may)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return list
}

// Remove takes away whatever a process that was killed has left, and nothing of
// what was mounted.
func TestRemove(t *testing.T) {
	dir := host(t)
	write(t, dir+"/src/file", "content")
	for range 2 { // the second covers the first
		s, err := stage.New(dir+"/stage", reader, stage.Contexts{})
		if err != nil {
			t.Fatal(err)
		}
		place, err := s.Place("it")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := place.Mount(open(t, dir+"/src"), stage.Options{Writable: true}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := stage.Remove(dir + "/stage"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(dir + "/stage"); !os.IsNotExist(err) {
		t.Errorf("the stage: %v", err)
	}
	if got, err := os.ReadFile(dir + "/src/file"); err != nil || string(got) != "content" {
		t.Errorf("the host's file: %q, %v", got, err)
	}
}
