package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/boot/cache"
)

func open(t *testing.T, limit int64) *cache.Cache {
	t.Helper()
	c, err := cache.Open(filepath.Join(t.TempDir(), "cache"), limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func content(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func TestManyPlaceOneMakes(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			c, err := cache.Open(filepath.Join(dir, "cache"), 1<<20)
			if err != nil {
				t.Error(err)
				return
			}
			dest := filepath.Join(dir, fmt.Sprint("dest", i))
			err = c.Place(t.Context(), "kernel", "abc", dest, func(w io.Writer) error {
				made.Add(1)
				time.Sleep(10 * time.Millisecond)
				return content("whole")(w)
			})
			if got, _ := os.ReadFile(dest); err != nil || string(got) != "whole" {
				t.Errorf("placed %q, %v", got, err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}

func TestTheLongestUnusedGoes(t *testing.T) {
	c := open(t, 25)
	dir := t.TempDir()
	place := func(key string, n int) {
		t.Helper()
		dest := filepath.Join(dir, fmt.Sprint(key, n))
		if err := c.Place(t.Context(), "initrd", key, dest, content("0123456789")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // the order of use is told by time stamps
	}
	place("a", 1)
	place("b", 1)
	place("a", 2)
	place("c", 1)
	entries, err := c.Entries()
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	if got := strings.Join(keys, " "); got != "a c" {
		t.Errorf("left in the cache: %s", got)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "b1")); err != nil {
		t.Errorf("what was placed went with the cache: %v", err)
	}
}

// A copy has what the caller puts behind it, which neither the cache nor others see, and
// stays what it is when the cache is trimmed.
func TestPlaceCopy(t *testing.T) {
	c := open(t, 15)
	dir := t.TempDir()
	for _, more := range []string{"", " and one", " and another"} {
		dest := filepath.Join(dir, "copy"+more)
		if err := c.PlaceCopy(t.Context(), "initrd", "a", dest, content("0123456789"), []byte(more)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(dest)
		if err != nil || string(got) != "0123456789"+more {
			t.Errorf("%q, %v", got, err)
		}
		if info, err := os.Stat(dest); err != nil || info.Mode() != 0o444 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if entries, err := c.Entries(); err != nil || len(entries) != 1 || entries[0].Size != 10 {
		t.Errorf("in the cache: %v, %v", entries, err)
	}
	if err := c.Place(t.Context(), "initrd", "b", filepath.Join(dir, "b"), content("0123456789")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "copy and one")); err != nil || string(got) != "0123456789 and one" {
		t.Errorf("trimmed: %q, %v", got, err)
	}
	full := errors.New("no space left on device")
	gone := filepath.Join(dir, "gone")
	if err := c.PlaceCopy(t.Context(), "initrd", "c", gone, func(io.Writer) error { return full }, nil); !errors.Is(err, full) {
		t.Errorf("PlaceCopy = %v", err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("a file was placed that could not be made")
	}
}

func TestClear(t *testing.T) {
	c := open(t, 1<<20)
	if err := c.Place(t.Context(), "initrd", "a", filepath.Join(t.TempDir(), "a"), content("0123456789")); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(c.Dir(), "initrd", ".new-123")
	if err := os.WriteFile(half, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	freed, err := c.Clear(t.Context())
	if err != nil || freed != 10 {
		t.Errorf("Clear = %d, %v", freed, err)
	}
	if entries, _ := c.Entries(); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
	if _, err := os.Stat(half); err == nil {
		t.Error("what a dead maker left is still there")
	}
}

func TestAFailureLeavesNothing(t *testing.T) {
	c := open(t, 1<<20)
	dest := filepath.Join(t.TempDir(), "dest")
	full := errors.New("no space left on device")
	err := c.Place(t.Context(), "kernel", "abc", dest, func(w io.Writer) error {
		content("half")(w)
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("Place = %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(c.Dir(), "*", "*")); len(files) != 0 {
		t.Errorf("left in the cache: %v", files)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("half a file was placed")
	}
}

func TestKeysAreNames(t *testing.T) {
	c := open(t, 1<<20)
	for _, key := range []string{"", "../x", "a/b", ".lock", "-a", "A", strings.Repeat("a", 129)} {
		if err := c.Place(t.Context(), "kernel", key, filepath.Join(t.TempDir(), "d"), content("")); err == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}

// Who waits for another maker stops when its context ends; nobody else can open what
// is waited for.
func TestAWaitEnds(t *testing.T) {
	c := open(t, 1<<20)
	made, over := make(chan struct{}), make(chan struct{})
	go func() {
		_ = c.Place(context.Background(), "kernel", "abc", filepath.Join(c.Dir(), "one"), func(io.Writer) error {
			close(made)
			<-over
			return errors.New("enough")
		})
		close(over)
	}()
	<-made
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Place(ctx, "kernel", "abc", filepath.Join(c.Dir(), "two"), content("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Place = %v", err)
	}
	if _, err := c.Clear(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Clear = %v", err)
	}
	over <- struct{}{}
	<-over
	locks, err := filepath.Glob(filepath.Join(c.Dir(), ".lock*"))
	if err != nil || len(locks) != 2 {
		t.Errorf("locks: %v, %v", locks, err)
	}
	for _, path := range append(locks, c.Dir()) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestNoteAndRemove(t *testing.T) {
	c := open(t, 1<<20)
	for n, want := range []bool{false, true, true} {
		if before, err := c.Note(t.Context(), "machine-started", "abc"); before != want || err != nil {
			t.Errorf("note %d: %t, %v", n+1, before, err)
		}
	}
	dest := func(n int) string { return filepath.Join(t.TempDir(), fmt.Sprint(n)) }
	if err := c.Place(t.Context(), "machine", "abc", dest(0), content("broken")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is none
		if err := c.Remove(t.Context(), "machine", "abc"); err != nil {
			t.Fatal(err)
		}
	}
	again := dest(1)
	if err := c.Place(t.Context(), "machine", "abc", again, content("whole")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(again); err != nil || string(got) != "whole" {
		t.Errorf("placed %q, %v", got, err)
	}
	for _, kind := range []string{"", "../machine", "machine/.."} {
		if _, err := c.Note(t.Context(), kind, "abc"); err == nil {
			t.Errorf("a note of the kind %q", kind)
		}
		if err := c.Remove(t.Context(), kind, "abc"); err == nil {
			t.Errorf("removed one of the kind %q", kind)
		}
	}
}

// Notes go with all else when the cache is cleared, and there are never more than a
// number of them.
func TestNotesGo(t *testing.T) {
	c := open(t, 1<<20)
	notes := func() (n int) {
		t.Helper()
		entries, err := c.Entries()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Size == 0 {
				n++
			}
		}
		return n
	}
	for n := range cache.MaxNotes + 5 {
		if _, err := c.Note(t.Context(), "machine-started", fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Place(t.Context(), "initrd", "a", filepath.Join(t.TempDir(), "a"), content("0123456789")); err != nil {
		t.Fatal(err)
	}
	if n := notes(); n != cache.MaxNotes {
		t.Errorf("%d notes are kept", n)
	}
	for range 2 { // the second time there are notes alone
		if _, err := c.Note(t.Context(), "machine-started", "last"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := notes(); n != 0 {
			t.Errorf("%d notes are left", n)
		}
	}
}
