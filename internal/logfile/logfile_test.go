package logfile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, w *Writer, at time.Time, stream int, text string) {
	t.Helper()
	if err := w.Write(at, stream, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *Writer {
	t.Helper()
	w, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
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

func TestALogThatIsALinkIsNotWritten(t *testing.T) {
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	if err := os.Symlink(other, path(dir, 0)); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(dir)
	if err == nil {
		w.Close()
		t.Error("it was opened")
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("the link's target was made")
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
		w, err := NewWriter(dir)
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
