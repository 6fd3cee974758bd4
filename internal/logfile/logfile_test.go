package logfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, w *Writer, at time.Time, stream int, text string) {
	t.Helper()
	if err := w.Write(at, stream, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Writer {
	t.Helper()
	w, err := newWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// newWriter is the writer of a log of this user's.
func newWriter(dir string) (*Writer, error) {
	f, err := Make(dir, os.Geteuid())
	if err != nil {
		return nil, err
	}
	return NewWriter(f, os.Geteuid())
}

func TestLinesComeBackAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	write(t, w, at, 1, "one\ntwo words \n")
	write(t, w, at.Add(time.Second), 2, "\x1b[0m piece")
	var got []Line
	see := func(l Line) error { got = append(got, l); return nil }
	if err := Read(t.Context(), dir, time.Time{}, false, see); err != nil {
		t.Fatal(err)
	}
	want := []Line{
		{at, "stdout", "one", false},
		{at, "stdout", "two words ", false},
		{at.Add(time.Second), "stderr", "\x1b[0m piece", true},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = nil
	if err := Read(t.Context(), dir, at.Add(1), false, see); err != nil || len(got) != 1 {
		t.Errorf("since: got %v, %v", got, err)
	}
	if last := open(t, dir).Last(); !last.Equal(at.Add(time.Second)) {
		t.Errorf("the last line is of %v", last)
	}
}

// After the clock has been set back, nothing that a service writes is taken for what
// is in the log already.
func TestALineOfTheFutureIsNotTheLast(t *testing.T) {
	dir := t.TempDir()
	write(t, open(t, dir), time.Now().Add(24*time.Hour), 1, "tomorrow\n")
	if last := open(t, dir).Last(); !last.IsZero() {
		t.Errorf("the last line is of %v", last)
	}
}

// Who writes a log can put anything in its place: root neither reads nor writes what
// is not a file of that log, and waits for nothing.
func TestWhatIsNoLogIsRefused(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("2026-01-02T03:04:05.000000000Z stdout F secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, put := range map[string]func(at string) error{
		"a link":          func(at string) error { return os.Symlink(other, at) },
		"another name":    func(at string) error { return os.Link(other, at) },
		"a pipe":          func(at string) error { return unix.Mkfifo(at, 0o600) },
		"a folder":        func(at string) error { return os.Mkdir(at, 0o700) },
		"a dangling link": func(at string) error { return os.Symlink(other+"-new", at) },
	} {
		t.Run(name, func(t *testing.T) {
			for n := range files {
				dir := t.TempDir()
				if err := put(path(dir, n)); err != nil {
					t.Fatal(err)
				}
				w, err := newWriter(dir)
				if err == nil {
					w.Close()
					t.Errorf("%d: it was opened for writing", n)
				}
				err = Read(t.Context(), dir, time.Time{}, false, func(l Line) error { return fmt.Errorf("read %q", l.Text) })
				if err == nil || strings.Contains(err.Error(), "secret") {
					t.Errorf("%d: it was read: %v", n, err)
				}
			}
		})
	}
	if _, err := os.Lstat(other + "-new"); err == nil {
		t.Error("the link's target was made")
	}
}

// A log that an sbx has made whose keeper was root becomes its writer's, with all that
// is in it.
func TestALogOfRootsIsGivenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const helper = 0x70000042
	dir := t.TempDir()
	w := open(t, dir)
	for range 2 * fileSize / 8000 {
		write(t, w, time.Now(), 1, strings.Repeat("x", 8000)+"\n")
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := Make(dir, helper)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err = NewWriter(f, helper)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 2 * fileSize / 8000 { // root's own goes on in files of the helper's
		write(t, w, time.Now(), 1, strings.Repeat("y", 8000)+"\n")
	}
	for n := range files + 1 {
		at, mode := path(dir, n), uint32(unix.S_IFREG|0o600)
		if n == files {
			at, mode = dir, unix.S_IFDIR|0o700
		}
		var info unix.Stat_t
		if err := unix.Lstat(at, &info); err != nil || info.Uid != helper || info.Gid != helper || info.Mode != mode {
			t.Errorf("%s: %v, user %d, group %d, mode %#o", at, err, info.Uid, info.Gid, info.Mode)
		}
	}
	if _, err := Make(dir, helper+1); err == nil {
		t.Error("another one's log was given away")
	}
}

func TestTheLogIsBounded(t *testing.T) {
	dir := t.TempDir()
	w := open(t, dir)
	line := strings.Repeat("x", 8000) + "\n"
	for range 3 * files * fileSize / len(line) {
		write(t, w, time.Now(), 1, line)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != files {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > files*fileSize {
		t.Errorf("%d bytes", size)
	}
}

// TestAFollowerSeesEveryLine reads along while lines come and files rotate.
func TestAFollowerSeesEveryLine(t *testing.T) {
	dir := t.TempDir()
	const lines = 60_000
	go func() {
		w, err := newWriter(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Close()
		for i := range lines {
			if err := w.Write(time.Now(), 1, fmt.Appendf(nil, "%06d %s\n", i, strings.Repeat("x", 100))); err != nil {
				t.Error(err)
			}
			if i%2000 == 0 {
				time.Sleep(10 * time.Millisecond) // a service that fills three files between two looks loses the oldest
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	next := 0
	err := Read(ctx, dir, time.Time{}, true, func(l Line) error {
		if !strings.HasPrefix(l.Text, fmt.Sprintf("%06d ", next)) {
			return fmt.Errorf("line %d is %q", next, l.Text)
		}
		if next++; next == lines {
			cancel()
		}
		return nil
	})
	if err != nil || next != lines {
		t.Errorf("%d lines, %v", next, err)
	}
}
