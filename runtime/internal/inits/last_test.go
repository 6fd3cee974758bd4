package inits

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A sbx-init is known again as long as it is the same file, unchanged.
func TestLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sbx-init")
	write := func(text string, at time.Time) os.FileInfo {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	then := time.Unix(1e9, 0)
	last := new(Last)
	if got := last.digest(path); got != "" {
		t.Errorf("before any was read: %q", got)
	}
	last.note(write("one", then), "its digest")
	if got := last.digest(path); got != "its digest" {
		t.Errorf("the same: %q", got)
	}
	for what, change := range map[string]func(){
		"other bytes, written later": func() { write("two", then.Add(time.Second)) },
		"longer":                     func() { write("three", then) },
		"another file": func() {
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			write("one", then)
		},
		"gone": func() { os.Remove(path) },
	} {
		os.Remove(path)
		last.note(write("one", then), "its digest")
		if change(); last.digest(path) != "" {
			t.Errorf("%s, and it is taken for the same", what)
		}
	}
}
