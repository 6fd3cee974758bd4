package stage_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/stage"
)

// tries are far more than it takes to come between two steps by name.
const tries = 3000

// Whoever may rename things in a folder cannot have something of root's in it given
// away in place of what is made there.
func TestWhatIsMadeIsGivenAway(t *testing.T) {
	for name, c := range map[string]struct {
		secret func(path string) error
		swap   func(dir string) error // put the secret in the new one's place
		back   func(dir string) error
		make   func(dir string, place *stage.Place) error
	}{
		"a file": {
			secret: func(path string) error { return os.WriteFile(path, []byte("secret"), 0o600) },
			swap: func(dir string) error {
				_ = os.Remove(dir + "/other")
				return errors.Join(os.Link(dir+"/secret", dir+"/other"), exchange(dir+"/other", dir+"/new"))
			},
			back: func(string) error { return nil },
			make: func(_ string, place *stage.Place) error { return place.Point("/new", false) },
		},
		"a folder": {
			secret: func(path string) error { return errors.Join(os.Mkdir(path, 0o700), os.Mkdir(path+"/full", 0o700)) },
			swap:   func(dir string) error { return exchange(dir+"/secret", dir+"/new") },
			back:   func(dir string) error { return exchange(dir+"/secret", dir+"/new") },
			make: func(dir string, _ *stage.Place) error {
				return stage.MakeFolder(dir+"/new", stage.Folder{UID: reader, GID: reader})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := host(t) + "/theirs"
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, reader, reader), c.secret(dir+"/secret")); err != nil {
				t.Fatal(err)
			}
			secret, err := unix.Open(dir+"/secret", unix.O_PATH, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(secret)
			var over atomic.Bool
			swapped, done := 0, make(chan struct{})
			go func() {
				defer close(done)
				for !over.Load() {
					if c.swap(dir) == nil {
						swapped++
						for c.back(dir) != nil && !over.Load() {
						}
					}
				}
			}()
			mounted(t, dir+"-stage", dir, stage.Options{Writable: true}, func(place *stage.Place) {
				for range tries {
					_ = c.make(dir, place) // it may well be refused
					_ = unix.Unlink(dir + "/new")
					_ = unix.Rmdir(dir + "/new")
				}
			})
			over.Store(true)
			<-done
			var info unix.Stat_t
			if err := unix.Fstat(secret, &info); err != nil {
				t.Fatal(err)
			}
			if info.Uid != 0 || info.Mode&0o077 != 0 {
				t.Errorf("the secret belongs to user %d and has the mode %#o", info.Uid, info.Mode&0o7777)
			}
			t.Logf("swapped %d times", swapped)
		})
	}
}

func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

// A missing folder is made with those above it, whatever the umask; one that is
// there stays as it is.
func TestMakeFolder(t *testing.T) {
	dir := host(t)
	defer unix.Umask(unix.Umask(0o077))
	for range 2 {
		if err := stage.MakeFolder(dir+"/a/b", stage.Folder{UID: reader, GID: reader}); err != nil {
			t.Fatal(err)
		}
		for path, owner := range map[string]uint32{"/a": 0, "/a/b": reader} {
			var info unix.Stat_t
			if err := unix.Stat(dir+path, &info); err != nil || info.Uid != owner || info.Mode&0o7777 != 0o755 {
				t.Errorf("%s: %v, user %d, mode %#o", path, err, info.Uid, info.Mode)
			}
		}
	}
	if err := errors.Join(os.Chown(dir+"/a/b", 1, 1), stage.MakeFolder(dir+"/a/b", stage.Folder{UID: reader, GID: reader})); err != nil {
		t.Fatal(err)
	}
	var info unix.Stat_t
	if err := unix.Stat(dir+"/a/b", &info); err != nil || info.Uid != 1 {
		t.Errorf("%v, user %d", err, info.Uid)
	}
}
