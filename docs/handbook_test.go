// Package docs_test runs the handbook: every command that a page, README or the
// help of a verb shows.
package docs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

func TestMain(m *testing.M) { testhost.Main(m) }

// TestPages runs the sh blocks of each page in a copy of what a reader has: the
// shipped profiles in a CUE module.
func TestPages(t *testing.T) {
	testhost.Need(t)
	bin := build(t)
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages found", err)
	}
	for _, page := range slices.DeleteFunc(pages, func(p string) bool { return fromNothing[p] != 0 }) {
		t.Run(strings.TrimSuffix(page, ".md"), func(t *testing.T) {
			runPage(t, page, reader(t), 0o022, "PATH="+path(bin), "HOME="+t.TempDir())
		})
	}
}
