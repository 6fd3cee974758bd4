package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every promise of SECURITY.md names a test, and every test that it names exists.
func TestPromisesAreTested(t *testing.T) {
	page, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, n := range named {
		if !strings.Contains(all.String(), "\nfunc "+n[1]+"(t *testing.T)") {
			t.Errorf("there is no test %s", n[1])
		}
	}
	_, promises, found := strings.Cut(string(page), "| promise | wall | tests |\n|---|---|---|\n")
	rows, _, _ := strings.Cut(promises, "\n\n")
	if !found {
		t.Fatal("there is no table of promises")
	}
	for row := range strings.SplitSeq(rows, "\n") {
		if cells := strings.Split(strings.Trim(row, "| "), " | "); len(cells) != 3 || !strings.HasPrefix(cells[2], "`Test") {
			t.Errorf("a promise names no test: %s", row)
		}
	}
}
