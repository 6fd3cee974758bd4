package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Doctor says which sbx it is that a shell finds first.
func TestAnotherSbx(t *testing.T) {
	dir := t.TempDir()
	program := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	self := program("own/sbx", 0o755)
	other := program("other/sbx", 0o755)
	program("document/sbx", 0o644)
	if err := os.MkdirAll(filepath.Join(dir, "folder/sbx"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "linked"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "linked/sbx")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path  string // folders, in dir
		state State
		found string
	}{
		{"own:other", OK, self},
		{"linked:other", OK, self},
		{"document:folder:missing:own", OK, self},
		{"other:own", Warn, other},
		{"other", Warn, other},
		{"", OK, "not in PATH"},
	} {
		var path []string
		for _, name := range filepath.SplitList(c.path) {
			path = append(path, filepath.Join(dir, name))
		}
		got := firstSbx(self, strings.Join(path, string(filepath.ListSeparator)))
		if got.State != c.state || !strings.Contains(got.Found, c.found) {
			t.Errorf("%s: %+v, not %s with %s", c.path, got, c.state, c.found)
		}
	}
	if got := firstSbx(filepath.Join(dir, "gone"), dir); got.State != Warn {
		t.Errorf("an sbx that was replaced: %+v", got)
	}
}
