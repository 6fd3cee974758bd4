package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every link within the repository leads somewhere, and the index to every page.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	index := map[string]bool{"README.md": true}
	link := regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		for _, m := range link.FindAllStringSubmatch(string(read(t, page)), -1) {
			to := filepath.Join(filepath.Dir(page), m[1])
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s leads to %s, which is not there", page, m[1])
			}
			index[to] = index[to] || page == "README.md"
		}
	}
	for _, page := range pages {
		if !index[page] {
			t.Errorf("the index, %s, does not lead to %s", "docs/README.md", page)
		}
	}
	if !strings.Contains(string(read(t, "../README.md")), "docs/tutorial.md") {
		t.Error("README does not lead to the tutorial")
	}
}

// CONTRIBUTING's table says of every internal package what it is for, and of no
// other.
func TestContributingNamesPackages(t *testing.T) {
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(internal/[a-z0-9]+)` \\|").FindAllStringSubmatch(string(read(t, "../CONTRIBUTING.md")), -1) {
		rows[m[1]] = true
	}
	packages, err := filepath.Glob("../internal/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p, "../")
		if !rows[name] {
			t.Errorf("CONTRIBUTING.md does not say what %s is for", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("CONTRIBUTING.md names %s, which is not there", name)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
