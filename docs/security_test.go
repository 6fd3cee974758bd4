package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every promise of SECURITY.md names a test, and every test that it names exists.
func TestPromisesAreTested(t *testing.T) {
	page, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	where := map[string][]string{} // the packages of each test
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			where[m[1]] = append(where[m[1]], strings.TrimPrefix(filepath.Dir(path), "../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run := attacks(t)
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 20 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, n := range named {
		if len(where[n[1]]) == 0 {
			t.Errorf("there is no test %s", n[1])
		} else if !slices.ContainsFunc(where[n[1]], func(pkg string) bool { return run(pkg, n[1]) }) {
			t.Errorf("scripts/attack does not run %s of %s", n[1], where[n[1]])
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

// attacks says which tests of a package scripts/attack runs.
func attacks(t *testing.T) func(pkg, test string) bool {
	t.Helper()
	script, err := os.ReadFile("../scripts/attack")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^try "[^"]+" \./(\S+) '([^'/]+)(?:/[^']*)?'$`).FindAllStringSubmatch(string(script), -1)
	if len(rows) < 20 {
		t.Fatalf("scripts/attack has only %d rows", len(rows))
	}
	return func(pkg, test string) bool {
		return slices.ContainsFunc(rows, func(row []string) bool { return row[1] == pkg && regexp.MustCompile(row[2]).MatchString(test) })
	}
}
