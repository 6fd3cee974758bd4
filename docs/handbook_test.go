// Package docs_test runs the handbook: every command that a page shows.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

func TestMain(m *testing.M) { testhost.Main(m) }

// TestPages runs the sh blocks of each page, one after the other in one shell
// that stops at the first failure, in a copy of what a reader has: the shipped
// profiles in a CUE module. Blocks of another kind (text, cue, console) are only
// shown.
func TestPages(t *testing.T) {
	testhost.Need(t)
	bin := build(t)
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages found", err)
	}
	for _, page := range pages {
		t.Run(strings.TrimSuffix(page, ".md"), func(t *testing.T) {
			// A file, not standard input, which the commands may read.
			script := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(script, commands(t, page), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-eux", script)
			cmd.Dir = reader(t)
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", page, err, out)
			}
		})
	}
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

// commands joins the sh blocks of a page.
func commands(t *testing.T, page string) []byte {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var script []byte
	inside := false
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```sh"
		case inside:
			script = append(script, line...)
		}
	}
	return script
}
