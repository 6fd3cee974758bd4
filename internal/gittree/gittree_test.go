package gittree

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// repository is a fresh one with the files of a map committed; a value that
// begins with "->" is a link.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "init", "-q")
	commit(t, dir, files)
	return dir
}

func commit(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "->"); link {
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "add", "-A")
	run(t, dir, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "files")
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func open(t *testing.T, dir string) *Tree {
	t.Helper()
	tree, err := Open(t.Context(), dir, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tree.Close)
	return tree
}

func TestATreeIsAFileSystem(t *testing.T) {
	dir := repository(t, map[string]string{"a.cue": "a", "sub/b.cue": "b", "sub/deep/c.json": "", "läuft": "x"})
	tree := open(t, filepath.Join(dir, "sub"))
	if tree.Below != "sub" {
		t.Errorf("below %q", tree.Below)
	}
	if err := fstest.TestFS(tree, "a.cue", "sub/b.cue", "sub/deep/c.json", "läuft"); err != nil {
		t.Error(err)
	}
}

func TestLinksAreFollowedInsideAlone(t *testing.T) {
	tree := open(t, repository(t, map[string]string{
		"real/a.cue": "a", "link.cue": "->real/a.cue", "dir": "->real", "sub/up.cue": "->../dir/../link.cue",
		"out": "->../x", "abs": "->/etc/passwd", "sub/out": "->../../x", "loop": "->loop", "none": "->nothing",
	}))
	for _, name := range []string{"link.cue", "dir/a.cue", "sub/up.cue"} {
		if data, err := fs.ReadFile(tree, name); err != nil || string(data) != "a" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"out", "abs", "sub/out", "loop", "none", "dir/none"} {
		if _, err := fs.Stat(tree, name); err == nil {
			t.Errorf("%s was found", name)
		}
	}
}

// TestNothingButTheBlobsDecides: what a change or the repository's configuration
// says of how files are to be written has no effect.
func TestNothingButTheBlobsDecides(t *testing.T) {
	dir := repository(t, map[string]string{
		"a.cue":          "plain $Id$\n",
		".gitattributes": "*.cue export-ignore export-subst ident filter=evil text eol=crlf\n",
	})
	ran := filepath.Join(t.TempDir(), "ran")
	for _, key := range []string{"filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "core.fsmonitor", "core.sshCommand", "core.pager", "tar.zip.command", "core.gitProxy"} {
		run(t, dir, "config", key, "touch "+ran)
	}
	tree := open(t, dir)
	if data, err := fs.ReadFile(tree, "a.cue"); err != nil || string(data) != "plain $Id$\n" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a command of the configuration ran")
	}
}

func TestNothingIsFetched(t *testing.T) {
	dir := repository(t, map[string]string{"a.cue": "a"})
	ran := filepath.Join(t.TempDir(), "ran")
	tree := open(t, dir)
	hash := tree.Hash("a.cue")
	run(t, dir, "config", "extensions.partialClone", "origin")
	run(t, dir, "config", "core.repositoryFormatVersion", "1")
	run(t, dir, "config", "remote.origin.url", "ssh://nowhere/x")
	run(t, dir, "config", "remote.origin.promisor", "true")
	run(t, dir, "config", "core.sshCommand", "touch "+ran+"; false")
	if err := os.Remove(filepath.Join(dir, ".git/objects", hash[:2], hash[2:])); err != nil {
		t.Fatal(err)
	}
	if lost, err := Open(t.Context(), dir, "HEAD"); err == nil {
		defer lost.Close()
		if _, err := fs.ReadFile(lost, "a.cue"); err == nil {
			t.Error("a lost blob was read")
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("git asked the remote")
	}
}

func TestSubmodulesAreNamed(t *testing.T) {
	dir := repository(t, map[string]string{"a.cue": "a"})
	const commit = "0123456789012345678901234567890123456789"
	run(t, dir, "update-index", "--add", "--cacheinfo", "160000,"+commit+",sub")
	run(t, dir, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "submodule")
	if got := open(t, dir).Submodules; len(got) != 1 || got["sub"] != commit {
		t.Error(got)
	}
}

func TestNamesThatAreNotUTF8AreTold(t *testing.T) {
	if got := open(t, repository(t, map[string]string{"\xff.cue": "a"})).Unnamed; len(got) != 1 || got[0] != "\xff.cue" {
		t.Errorf("%q", got)
	}
}

func TestWhatIsNoRevisionIsAnError(t *testing.T) {
	dir := repository(t, map[string]string{"a": "a"})
	for _, revision := range []string{"nothing", "--help", ""} {
		if tree, err := Open(t.Context(), dir, revision); err == nil {
			tree.Close()
			t.Errorf("%q was opened", revision)
		}
	}
}
