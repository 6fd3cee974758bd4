package author

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/gittree"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// revision loads the profiles that a git revision holds below the current
// folder. The work tree is not touched.
func (c *Review) revision(a *verb.App, revision string) (*side, error) {
	tree, err := gittree.Open(a.Ctx, ".", revision)
	if err != nil {
		return nil, fmt.Errorf("%s is neither a file or folder nor a git revision: %w", revision, err)
	}
	side := &side{tree: tree}
	if err := nameable(tree); err != nil {
		return side, fmt.Errorf("%s: %w", revision, err)
	}
	root := projectRoot(tree, tree.Below)
	project, err := fs.Sub(tree, root)
	if err != nil {
		return side, err
	}
	inside, err := filepath.Rel(root, tree.Below)
	if err != nil {
		return side, err
	}
	side.folder = inside
	side.prefix, side.read = root, func(p diag.Pos) ([]byte, error) { return fs.ReadFile(project, p.File) }
	if _, err := fs.Stat(project, inside); errors.Is(err, fs.ErrNotExist) {
		return side, nil // the folder is younger than the revision
	}
	side.config = &load.Config{FS: project, Tags: c.Tag}
	side.profiles, err = side.config.Load(inside + "/...")
	return side, err
}

// nameable refuses profiles that a checkout would have and nobody could review.
func nameable(tree *gittree.Tree) error {
	for _, name := range tree.Unnamed {
		if profileExt(name) {
			return fmt.Errorf("the file %q has a name that is not UTF-8, and cannot be reviewed: rename it", name)
		}
	}
	return nil
}

// profileExt says whether a file of that name may be a profile, or a part of one.
func profileExt(name string) bool {
	return slices.Contains([]string{".cue", ".yaml", ".yml", ".json"}, path.Ext(name))
}

// sameSubmodules refuses a change of what is in other repositories: what they hold
// is in neither side.
func sameSubmodules(before, after *side) error {
	if before.tree == nil || after.tree == nil || maps.Equal(before.tree.Submodules, after.tree.Submodules) {
		return nil
	}
	from, to := before.tree.Submodules, after.tree.Submodules
	all := maps.Clone(from)
	maps.Copy(all, to)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if from[name] != to[name] {
			return fmt.Errorf("the change replaces the submodule %q (%s) by another commit (%s), and what either holds is not in this repository: review it there, and here from a folder beside it", name, cmp.Or(from[name], "none"), cmp.Or(to[name], "none"))
		}
	}
	return nil
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
