package structure_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The most that a package holds that somebody can keep in mind, without its tests.
const (
	mostFiles = 25
	mostLines = 3000
)

// size is what a package holds.
type size struct{ files, lines int }

// A package that has grown too large is split before the next thing goes into it.
func TestPackagesAreSmall(t *testing.T) {
	for _, line := range list(t, "-f", `{{.ImportPath}}>{{.Dir}}>{{join .GoFiles ","}}`, "../../...") {
		parts := strings.Split(line, ">")
		pkg, files := parts[0], strings.Split(parts[2], ",")
		holds := size{files: len(files)}
		for _, f := range files {
			if parts[2] == "" {
				continue // it has tests alone
			}
			text, err := os.ReadFile(filepath.Join(strings.Replace(parts[1], "./", "../../", 1), f))
			if err != nil {
				t.Fatal(err)
			}
			holds.lines += bytes.Count(text, []byte("\n"))
		}
		if holds.files > mostFiles || holds.lines > mostLines {
			t.Errorf("%s holds %d files of %d lines, and may hold %d of %d: split it", pkg, holds.files, holds.lines, mostFiles, mostLines)
		}
	}
}
