package diag_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema/diag"
)

var code = regexp.MustCompile(`SBX[0-9]{4}`)

// Every code that any source file names has an explanation, and every explained
// code is used.
func TestEveryCodeIsExplained(t *testing.T) {
	used := make(map[string]bool)
	walk := func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		ext := filepath.Ext(path)
		if ext != ".go" && ext != ".cue" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "explanations.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		for _, c := range code.FindAllString(string(data), -1) {
			used[c] = true
		}
		return err
	}
	if err := filepath.WalkDir("../..", walk); err != nil {
		t.Fatal(err)
	}
	for c := range used {
		if _, ok := diag.Explain(c); !ok {
			t.Errorf("%s is used and not explained", c)
		}
	}
	for _, e := range diag.Explanations {
		if !used[e.Code] {
			t.Errorf("%s is explained and not used", e.Code)
		}
		if e.Title == "" || e.Text == "" {
			t.Errorf("%s has no title or no text", e.Code)
		}
	}
	if !slices.IsSortedFunc(diag.Explanations, func(a, b diag.Explanation) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the explanations are not in the order of their codes")
	}
}
