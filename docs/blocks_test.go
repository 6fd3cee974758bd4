package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/schema/load"
)

// What the other tests of this folder rest on: which commands a page has, and what
// it says that they print.
func TestBlocks(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# A page\n```sh\none\n```\n```text\nshown\n```\nwords\n```sh\ntwo\n```\nwords\n```text\nnot of two\n```\n```cue\nthree\n```\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want := []block{{2, "one\n", "shown\n"}, {9, "two\n", ""}}
	if d := cmp.Diff(want, blocksOf(t, page), cmp.AllowUnexported(block{})); d != "" {
		t.Error(d)
	}
	for _, c := range []struct {
		line string
		want bool
	}{
		{"apache: up", true},
		{"ok  lxc  libvirt  answers", true}, // whatever the columns' width
		{"ok  lxc  …  answers", true},
		{"…", true},
		{"apache: u", false},
		{"down", false},
		{"a.ache: up", false}, // no pattern
	} {
		if printed([]byte("  apache: up\nok    lxc  libvirt    answers\n"), c.line+"\n") != c.want {
			t.Errorf("%q: not %v", c.line, c.want)
		}
	}
}

func TestExamplesOfHelp(t *testing.T) {
	help := "Usage: sbx x\n\nSyntax:\n\n    no example\n\nExamples:\n\n    sbx x a    # why\n    sbx x b \\\n      --c 'd # e'\n\nAnd so:\n\n    sbx x f\n\nFlags:\n      --g    no example\n"
	if d := cmp.Diff([]string{"sbx x a", "sbx x b \\\n--c 'd # e'", "sbx x f"}, examplesOf(help)); d != "" {
		t.Error(d)
	}
}

// The profiles that README and the pages show whole are profiles.
func TestShownProfiles(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, page := range append(pages, "../README.md") {
		for _, m := range regexp.MustCompile("(?ms)^```cue\n(.*?)^```").FindAllStringSubmatch(string(read(t, page)), -1) {
			if !strings.HasPrefix(m[1], "package ") || !strings.Contains(m[1], "schema.#") {
				continue // a part of one
			}
			found++
			if _, err := (&load.Config{Stdin: strings.NewReader(m[1])}).Load("-"); err != nil {
				t.Errorf("%s: %v\nin\n%s", page, err, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no page shows a profile")
	}
}
