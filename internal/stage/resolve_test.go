package stage_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/internal/stage"
)

// Links that root has made are followed, wherever they lead; those that others can put
// there are not, and the error says who can.
func TestWhoseLinksAreFollowed(t *testing.T) {
	dir := host(t)
	write(t, dir+"/data/file", "content")
	for _, c := range []struct {
		name string
		make func(at string) error
		path string
		says string // "" where it leads to the data
	}{
		{"root's", func(at string) error { return os.Symlink(dir+"/data", at+"/link") }, "/link/file", ""},
		{"root's, relative", func(at string) error { return os.Symlink("../data/../data", at+"/link") }, "/link/file", ""},
		{"a link to a link", func(at string) error {
			return errors.Join(os.Symlink("two", at+"/link"), os.Symlink(dir+"/data", at+"/two"))
		}, "/link/file", ""},
		{"at the end", func(at string) error { return os.Symlink(dir+"/data/file", at+"/link") }, "/link", ""},
		{"in a folder of another user's", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Chown(at, reader, reader))
		}, "/link/file", "user 70000 can change"},
		{"at the end of such a path", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data/file", at+"/link"), os.Chown(at, reader, reader))
		}, "/link", "name where it is to lead, which is " + dir + "/data/file now"},
		{"below a folder of root's in one of another user's", func(at string) error {
			return errors.Join(os.Mkdir(at+"/root", 0o755), os.Symlink(dir+"/data", at+"/root/link"), os.Chown(at, reader, reader))
		}, "/root/link/file", "user 70000 can change"},
		{"behind a link of root's", func(at string) error {
			return errors.Join(os.Mkdir(at+"/theirs", 0o755), os.Chown(at+"/theirs", reader, reader),
				os.Symlink(dir+"/data", at+"/theirs/link"), os.Symlink("theirs", at+"/link"))
		}, "/link/link/file", "user 70000 can change"},
		{"in a folder for all", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Chmod(at, 0o777))
		}, "/link/file", "everybody can change"},
		{"in a folder of a group's", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Chown(at, 0, reader), os.Chmod(at, 0o775))
		}, "/link/file", "group 70000 can change"},
		{"in one of root's group", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Chmod(at, 0o775))
		}, "/link/file", ""},
		{"root's in a sticky folder", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Chmod(at, os.ModeSticky|0o777))
		}, "/link/file", ""},
		{"another user's in a sticky folder", func(at string) error {
			return errors.Join(os.Symlink(dir+"/data", at+"/link"), os.Lchown(at+"/link", reader, reader), os.Chmod(at, os.ModeSticky|0o777))
		}, "/link/file", "everybody can change"},
		{"a circle", func(at string) error { return os.Symlink("link", at+"/link") }, "/link", "too many levels"},
		{"what is no folder", func(at string) error { return os.WriteFile(at+"/file", nil, 0o644) }, "/file/more", "not a directory"},
		{"a descriptor of this process", func(at string) error { return os.Symlink("/proc/self/fd/0", at+"/link") }, "/link", "too many levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := os.MkdirTemp(dir, "case-")
			if err == nil {
				err = errors.Join(os.Chmod(at, 0o755), c.make(at))
			}
			if err != nil {
				t.Fatal(err)
			}
			if f, err := hostpath.Read(at + c.path); err == nil {
				f.Close()
				if c.says != "" && c.name != "a descriptor of this process" {
					t.Error("it can be read")
				}
			} else if c.says == "" {
				t.Errorf("it cannot be read: %v", err)
			}
			s, err := stage.Open(at + c.path)
			switch {
			case err == nil:
				defer s.Close()
				if c.says != "" || s.Real != dir+"/data/file" {
					t.Errorf("it led to %s", s.Real)
				}
			case c.says == "" || !strings.Contains(err.Error(), c.says):
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// A user who owns the folder around a source, as a sandbox does that may write there,
// puts a link in its place at any moment, and never has another user's file opened or
// something made where it leads.
func TestNobodyWinsAgainstALink(t *testing.T) {
	dir := host(t)
	write(t, dir+"/secret/file", "secret")
	write(t, dir+"/theirs/folder/file", "theirs")
	if err := errors.Join(os.Symlink(dir+"/secret", dir+"/theirs/link"), os.Chown(dir+"/theirs", reader, reader)); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	flips, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			if exchange(dir+"/theirs/folder", dir+"/theirs/link") == nil {
				flips++
			}
		}
	}()
	opened, refused := 0, 0
	for i := 0; i < tries || i < 100*tries && (opened == 0 || refused == 0); i++ {
		s, err := stage.Open(dir + "/theirs/folder/file")
		if err != nil {
			refused++
		} else {
			opened++
			if s.ID.String() == stage.Identify(dir+"/secret/file") {
				t.Error("another user's file was opened")
			}
			s.Close()
		}
		_ = stage.MakeFolder(dir+"/theirs/folder/new", stage.Folder{UID: reader, GID: reader})
		_ = unix.Rmdir(dir + "/theirs/folder/new")
		if _, err := os.Lstat(dir + "/secret/new"); err == nil {
			t.Fatal("a folder was made where the link leads")
		}
	}
	over.Store(true)
	<-done
	t.Logf("%d flips; %d opened, %d refused", flips, opened, refused)
	if opened == 0 || refused == 0 {
		t.Errorf("one of both never came: %d opened, %d refused", opened, refused)
	}
}

// A folder that somebody else fills is not read to its end.
func TestFoldersThatOthersFill(t *testing.T) {
	dir := host(t)
	for i := range 5000 {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := stage.IdentifyEntries(dir); got != "more than 4096 entries" {
		t.Errorf("it has %s", got)
	}
	for i := range 4999 {
		if err := os.Remove(fmt.Sprintf("%s/%d", dir, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := stage.IdentifyEntries(dir); !strings.HasPrefix(got, "1 entries, ") {
		t.Errorf("it has %s", got)
	}
}
