package lockfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/lockfile"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := lockfile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A wait ends with its context, and with whoever had the lock.
func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, path), open(t, path)
	if locked, err := lockfile.Try(first, lockfile.Exclusive); !locked || err != nil {
		t.Fatalf("%v, %v", locked, err)
	}
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(reason) })
	if err := lockfile.Wait(ctx, second, lockfile.Shared); !errors.Is(err, lockfile.ErrBusy) || !errors.Is(err, reason) {
		t.Errorf("while it is locked: %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { first.Close() })
	if err := lockfile.Wait(t.Context(), second, lockfile.Shared); err != nil {
		t.Errorf("once it is not: %v", err)
	}
}

// Who has had the file open since others might is no longer in the way.
func TestAFileForOthersIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	if locked, err := lockfile.Try(theirs, lockfile.Shared); !locked || err != nil {
		t.Fatal(err)
	}
	ours := open(t, path)
	if locked, err := lockfile.Try(ours, lockfile.Exclusive); !locked || err != nil {
		t.Errorf("locked: %v, %v", locked, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Symlink("/etc/passwd", path+"-link"); err != nil {
		t.Fatal(err)
	}
	if f, err := lockfile.Open(path + "-link"); err == nil {
		f.Close()
		t.Error("a link was followed")
	}
}
