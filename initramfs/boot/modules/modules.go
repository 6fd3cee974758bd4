// Package modules finds out which kernel module files must be loaded, and in
// which order, from what depmod wrote beside them (modules.dep(5)).
package modules

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/hostpath"
)

// Tree is the module tree of one kernel.
type Tree struct {
	dir     string
	deps    Deps
	builtin map[string]bool
	soft    map[string][]string // what a module needs to be loaded before it, by names or aliases
	aliases map[string][]string // the modules of a name; nil until one is looked up
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

// maxList bounds each of depmod's lists, in bytes: a distribution's have some hundred
// kilobytes.
const maxList = 64 << 20

// Open reads modules.dep, modules.builtin and modules.softdep of the tree in dir.
func Open(dir string) (*Tree, error) {
	t := &Tree{dir: dir, builtin: map[string]bool{}}
	name := filepath.Join(dir, "modules.dep")
	list, err := hostpath.ReadAll(name, maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no modules.dep: run depmod for this kernel", dir)
	} else if err != nil {
		return nil, fmt.Errorf("module tree: %w", err)
	}
	if t.deps, err = ParseDeps(bytes.NewReader(list)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, errors.Join(t.readBuiltin(), t.readSoft())
}

// readBuiltin takes a missing modules.builtin for a kernel with nothing built in.
func (t *Tree) readBuiltin() error {
	return t.readLines("modules.builtin", func(words []string) {
		if len(words) == 1 {
			t.builtin[Name(words[0])] = true
		}
	})
}

// Closure returns the files that must be loaded for the named modules, relative
// to the tree, each after what it depends on, softly too where the tree has that.
// What is built in needs no file. A module that is nowhere is a *MissingError.
func (t *Tree) Closure(names ...string) ([]string, error) {
	c := closure{tree: t, done: map[string]bool{}}
	for _, name := range names {
		if err := c.add(Name(name)); err != nil {
			return nil, err
		}
	}
	return c.files, nil
}

// closure is a Closure under way.
type closure struct {
	tree  *Tree
	files []string
	done  map[string]bool // by file; also while it waits for what goes before it
}

func (c *closure) add(name string) error {
	if c.tree.builtin[name] {
		return nil
	}
	module, ok := c.tree.deps[name]
	if !ok {
		return &MissingError{Module: name, Tree: c.tree.dir}
	}
	// depmod lists all that a module needs, the deepest last.
	for _, file := range slices.Backward(module) {
		if c.done[file] {
			continue
		}
		c.done[file] = true
		soft, err := c.tree.softModules(Name(file))
		if err != nil {
			return err
		}
		for _, before := range soft {
			if err := c.add(before); err != nil {
				return err
			}
		}
		c.files = append(c.files, file)
	}
	return nil
}

// Read returns a module file's content, decompressed.
func (t *Tree) Read(file string) ([]byte, error) {
	packed, err := t.Packed(file)
	if err != nil {
		return nil, err
	}
	content, err := decompress(file, bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", filepath.Join(t.dir, file), err)
	}
	return content, nil
}

// Packed returns a module file's content as it lies on the disk. Whoever else can change
// the tree can have nothing read that lies outside of it (package hostpath).
func (t *Tree) Packed(file string) ([]byte, error) {
	packed, err := hostpath.ReadAll(filepath.Join(t.dir, file), maxModule)
	if err != nil {
		return nil, fmt.Errorf("module tree: %w", err)
	}
	return packed, nil
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
