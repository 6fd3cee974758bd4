package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// joinPath joins parts of a path, of which the first may be empty.
func joinPath(dir, file string) string { return filepath.Join(dir, file) }

// revision loads the profiles that a git revision holds below the current
// folder. The work tree is not touched.
func (c *reviewCmd) revision(a *app, revision string) (*side, error) {
	tree, err := git(a, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{tree}")
	if err != nil {
		return nil, fmt.Errorf("%s is neither a file or folder nor a git revision: %w", revision, err)
	}
	top, err := git(a, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	below, err := git(a, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	files, err := treeFiles(a, top, tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", revision, err)
	}
	root := projectRoot(files, path.Clean("./"+below))
	project, err := fs.Sub(files, root)
	if err != nil {
		return nil, err
	}
	inside, err := filepath.Rel(root, path.Clean("./"+below))
	if err != nil {
		return nil, err
	}
	side := &side{prefix: root, read: func(p diag.Pos) ([]byte, error) { return fs.ReadFile(project, p.File) }}
	if _, err := fs.Stat(project, inside); errors.Is(err, fs.ErrNotExist) {
		return side, nil // the folder is younger than the revision
	}
	at := schema.Config{FS: project, Tags: c.Tag}
	side.profiles, err = at.Load(inside + "/...")
	return side, err
}

// profileFiles are the files of a tree that profiles are made of.
var profileFiles = []string{".cue", ".yaml", ".yml", ".json"}

// treeFiles reads the files of a tree that profiles can be made of.
func treeFiles(a *app, top, tree string) (fs.FS, error) {
	list, err := git(a, "-C", top, "ls-tree", "-r", "-z", "--name-only", tree)
	if err != nil {
		return nil, err
	}
	args := []string{"-C", top, "archive", "--format=zip", tree, "--"}
	for _, ext := range profileFiles {
		if slices.ContainsFunc(strings.Split(list, "\x00"), func(f string) bool { return strings.HasSuffix(f, ext) }) {
			args = append(args, ":(glob)**/*"+ext)
		}
	}
	if args[len(args)-1] == "--" {
		return nil, fmt.Errorf("it holds no profile")
	}
	data, err := git(a, args...)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader([]byte(data)), int64(len(data)))
}

// projectRoot is the nearest folder at or above dir that holds cue.mod, else
// dir itself.
func projectRoot(files fs.FS, dir string) string {
	for d := dir; ; d = path.Dir(d) {
		if _, err := fs.Stat(files, path.Join(d, "cue.mod", "module.cue")); err == nil {
			return d
		}
		if d == "." {
			return dir
		}
	}
}

// git runs git in the current folder and gives what it printed, without the
// last newline.
func git(a *app, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(a.ctx, "git", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), nil
}
