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

// tooLarge are the packages that hold more, with the most that they may until they are
// split: a bound goes down with what moves out, and never up.
var tooLarge = map[string]size{
	"./runtime": {37, 3337}, // the verbs, and what still hangs on a sandbox or on a Runtime: kinds, observing, keeping
}

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
		most, excepted := tooLarge[pkg]
		if !excepted {
			most = size{mostFiles, mostLines}
		}
		if holds.files > most.files || holds.lines > most.lines {
			t.Errorf("%s holds %d files of %d lines, and may hold %d of %d: split it", pkg, holds.files, holds.lines, most.files, most.lines)
		}
		if excepted && holds.files <= mostFiles && holds.lines <= mostLines {
			t.Errorf("%s is small now: take it out of tooLarge", pkg)
		}
	}
}
