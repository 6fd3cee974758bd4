package docs_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is an sh block of a page, and what the text block right behind it shows of
// its output.
type block struct {
	line   int // where it begins
	script string
	shown  string
}

// runPage runs the sh blocks of a page one after the other in one shell that stops
// at the first failure, and compares what they print with what the page shows.
// Blocks of another kind (cue, console, and text elsewhere) are only shown.
func runPage(t *testing.T, page, dir string, umask int, env ...string) {
	t.Helper()
	blocks := blocksOf(t, page)
	var script strings.Builder
	fmt.Fprintf(&script, "umask %04o\n", umask)
	for i, b := range blocks {
		fmt.Fprintf(&script, "%sprintf '\\n%s\\n'\n", b.script, end(i))
	}
	// A file, not standard input, which the commands may read.
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eux", file)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, out)
		return
	}
	for i, b := range blocks {
		said, rest, _ := bytes.Cut(out, []byte("\n"+end(i)+"\n"))
		out = rest
		for line := range strings.Lines(b.shown) {
			if !printed(said, line) {
				t.Errorf("%s:%d: the commands do not print\n%sbut\n%s", page, b.line, line, said)
			}
		}
	}
}

// end is what stands between the output of a block and that of the next.
func end(i int) string { return fmt.Sprintf("---- block %d ends ----", i) }

// printed reports whether an output has a line of a page, in which "…" stands for
// anything.
func printed(out []byte, line string) bool {
	line = regexp.QuoteMeta(strings.TrimSpace(line))
	line = regexp.MustCompile(` +`).ReplaceAllString(line, ` +`) // columns are as wide as they need
	return regexp.MustCompile(`(?m)^\s*` + strings.ReplaceAll(line, "…", ".*") + `\s*$`).Match(out)
}

// blocksOf reads a page.
func blocksOf(t *testing.T, page string) (blocks []block) {
	t.Helper()
	const outside = "-"
	kind, behind := outside, false // behind: only empty lines since an sh block
	number := 0
	for line := range strings.Lines(string(read(t, page))) {
		number++
		switch {
		case strings.HasPrefix(line, "```") && kind == outside:
			if kind = strings.TrimSpace(line[3:]); kind == "sh" {
				blocks = append(blocks, block{line: number})
			}
		case strings.HasPrefix(line, "```"):
			behind, kind = kind == "sh", outside
		case kind == "sh":
			blocks[len(blocks)-1].script += line
		case kind == "text" && behind:
			blocks[len(blocks)-1].shown += line
		case kind == outside && strings.TrimSpace(line) != "":
			behind = false
		}
	}
	return blocks
}

// build makes sbx and sbx-init, and gives the folder that holds them.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	makeTarget := exec.Command("make", "-C", "..", "build", "BIN="+bin)
	if out, err := makeTarget.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return bin
}

// path is PATH with a folder in front.
func path(bin string) string { return bin + ":" + os.Getenv("PATH") }

// reader makes a copy of the shipped profiles and the module that they are in.
func reader(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"cue.mod", "schema", "profiles"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("..", part))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
