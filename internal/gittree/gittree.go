// Package gittree reads what a revision of a git repository holds, as a file
// system. It asks git's plumbing for trees and blobs and for nothing else, so that
// neither the revision (by its .gitattributes or submodules) nor the repository's
// configuration (by filters, formats or helpers) has a say in what is read, and
// nothing is fetched.
package gittree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Tree is the files of a revision. It implements fs.FS, fs.StatFS and
// fs.ReadDirFS, and may be used by several goroutines at once. Symbolic links are
// followed within the tree.
type Tree struct {
	// Below is the folder that Open was called for, in the tree.
	Below string
	// Submodules are the commits of other repositories that the tree names, by
	// their places. What those hold is not part of the tree.
	Submodules map[string]string
	// Unnamed are the files whose names are not UTF-8, which no fs.FS can open.
	Unnamed []string

	nodes   map[string]node
	folders map[string][]fs.DirEntry
	blobs   *blobs
}

// node is a file or link of the tree.
type node struct {
	mode fs.FileMode // the type alone
	hash string
	size int64
}

// Open reads the tree of a revision of the repository that the folder dir lies
// in. Close ends what it starts.
func Open(ctx context.Context, dir, revision string) (*Tree, error) {
	id, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{tree}")
	if err != nil {
		return nil, err
	}
	below, err := git(ctx, dir, "rev-parse", "--show-prefix")
	if err != nil {
		return nil, err
	}
	list, err := git(ctx, dir, "ls-tree", "-r", "-l", "-z", "--full-tree", strings.TrimSpace(id))
	if err != nil {
		return nil, err
	}
	t := &Tree{
		Below:      path.Clean("./" + strings.TrimSuffix(below, "\n")),
		Submodules: map[string]string{}, nodes: map[string]node{}, folders: map[string][]fs.DirEntry{".": nil},
	}
	for entry := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		if entry == "" {
			continue // an empty tree
		}
		if err := t.add(entry); err != nil {
			return nil, err
		}
	}
	t.blobs, err = startBlobs(ctx, dir)
	return t, err
}

// Close ends the process that reads blobs.
func (t *Tree) Close() { t.blobs.close() }

// add takes a line of git-ls-tree(1): "MODE TYPE HASH SIZE\tPATH".
func (t *Tree) add(entry string) error {
	head, name, ok := strings.Cut(entry, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 {
		return fmt.Errorf("git ls-tree printed %q", entry)
	}
	switch {
	case !utf8.ValidString(name):
		t.Unnamed = append(t.Unnamed, name)
		return nil
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("the tree names a file %q, which no folder can hold", name)
	}
	if fields[1] == "commit" {
		t.Submodules[name] = fields[2]
		return nil
	}
	if _, twice := t.nodes[name]; twice {
		return fmt.Errorf("the tree names %q twice", name)
	}
	size, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil {
		return fmt.Errorf("git ls-tree printed %q", entry)
	}
	n := node{hash: fields[2], size: size}
	if fields[0] == "120000" {
		n.mode = fs.ModeSymlink
	}
	t.nodes[name] = n
	t.list(name, n.info(path.Base(name)))
	return nil
}

// list adds an entry to its folder, and the folder to the one above it.
func (t *Tree) list(name string, i info) {
	dir := path.Dir(name)
	if _, known := t.folders[dir]; !known {
		t.list(dir, folderInfo(path.Base(dir)))
	}
	t.folders[dir] = append(t.folders[dir], fs.FileInfoToDirEntry(i))
}

// Hash is the object that the file or link at a name is; "" where there is none.
func (t *Tree) Hash(name string) string { return t.nodes[name].hash }

// Files calls each with the name of every file and link of the tree.
func (t *Tree) Files(each func(name string)) {
	for name := range t.nodes {
		each(name)
	}
}

// git runs git in dir and gives all that it printed.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := command(ctx, dir, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("revisions are read by git, which is not installed: %w", err)
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// command is git without what a repository's own configuration could have it run
// or fetch: a partial clone would fetch what is missing by programs that its
// configuration names.
func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--no-replace-objects", "-c", "core.fsmonitor=false"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	return cmd
}
