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

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
