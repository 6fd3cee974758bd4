// Package modules finds out which kernel module files must be loaded, and in
// which order, from what depmod wrote beside them (modules.dep(5)).
package modules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Tree is the module tree of one kernel.
type Tree struct {
	dir     string
	deps    Deps
	builtin map[string]bool
}

// MissingError says that a kernel neither has a module built in nor on disk.
type MissingError struct {
	Module string
	Tree   string
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the kernel has no module %s: it is neither built in nor in %s", e.Module, e.Tree)
}

// Open reads modules.dep and modules.builtin of the tree in dir.
func Open(dir string) (*Tree, error) {
	t := &Tree{dir: dir, builtin: map[string]bool{}}
	file, err := os.Open(filepath.Join(dir, "modules.dep"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no modules.dep: run depmod for this kernel", dir)
	} else if err != nil {
		return nil, fmt.Errorf("module tree: %w", err)
	}
	defer file.Close()
	if t.deps, err = ParseDeps(file); err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return t, t.readBuiltin()
}

// readBuiltin takes a missing modules.builtin for a kernel with nothing built in.
func (t *Tree) readBuiltin() error {
	file, err := os.Open(filepath.Join(t.dir, "modules.builtin"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("module tree: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		t.builtin[Name(lines.Text())] = true
	}
	return lines.Err()
}

// Closure returns the files that must be loaded for the named modules, relative
// to the tree, each after what it depends on. What is built in needs no file.
// A module that is nowhere is a *MissingError.
func (t *Tree) Closure(names ...string) ([]string, error) {
	var files []string
	done := map[string]bool{}
	for _, name := range names {
		name = Name(name)
		if t.builtin[name] {
			continue
		}
		module, ok := t.deps[name]
		if !ok {
			return nil, &MissingError{Module: name, Tree: t.dir}
		}
		// depmod lists all that a module needs, the deepest last.
		for i := len(module) - 1; i >= 0; i-- {
			if !done[module[i]] {
				done[module[i]] = true
				files = append(files, module[i])
			}
		}
	}
	return files, nil
}

// Read returns a module file's content, decompressed.
func (t *Tree) Read(file string) ([]byte, error) {
	f, err := os.Open(filepath.Join(t.dir, file))
	if err != nil {
		return nil, fmt.Errorf("module tree: %w", err)
	}
	defer f.Close()
	content, err := decompress(file, f)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", f.Name(), err)
	}
	return content, nil
}

// Deps holds, by module name, the module's own file and behind it those of all
// that it depends on, the deepest last; as modules.dep has them.
type Deps map[string][]string

// ParseDeps reads a modules.dep file. A path that leaves the tree is an error.
func ParseDeps(r io.Reader) (Deps, error) {
	deps := Deps{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		file, rest, ok := strings.Cut(line, ":")
		files := append([]string{file}, strings.Fields(rest)...)
		for _, f := range files {
			if !filepath.IsLocal(f) || Name(f) == "" {
				return nil, fmt.Errorf("line %d: %q is not a path in the tree", n, f)
			}
		}
		if !ok {
			return nil, fmt.Errorf("line %d has no colon", n)
		}
		deps[Name(file)] = files
	}
	return deps, lines.Err()
}

// Name is the name by which the kernel knows the module in a file: without the
// folder and suffixes, and with an underscore for every dash.
func Name(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}
