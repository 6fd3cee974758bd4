package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load/guard"
)

// stdinFile is where standard input stands in the project's tree.
const stdinFile = "stdin.cue"

// target is one profile to be: a package of a folder, or a file by itself.
type target struct {
	project *project
	dir     string // slash path in the project, "." for its root
	pkg     string // "" for a file without a package clause
	file    string // the file that was named; "" where the package was
	walked  bool   // found by "/...", not named
	stdin   []byte
	seen    *seen // what is read for it; nil where nobody asks
}

// pos is the target's file, or its folder.
func (t target) pos() diag.Pos {
	switch t.file {
	case stdinFile:
		return diag.Pos{File: "<stdin>"}
	case "":
		return t.project.pos(t.dir)
	}
	return t.project.pos(t.file)
}

// session is a view of the target's project for reading it.
func (t target) session() *session {
	s := t.project.session()
	s.stdin, s.seen = t.stdin, t.seen
	return s
}

// targets finds what args name: files, folders, folders with all that is below
// them ("DIR/..."), and "-" for standard input.
func (c *Config) targets(args []string) (found []target, err error) {
	open := make(map[string]*project)
	for _, arg := range args {
		more, err := c.argument(arg, open)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (c *Config) argument(arg string, open map[string]*project) ([]target, error) {
	if arg == "-" {
		return c.stdinTarget(open)
	}
	arg, recursive := strings.CutSuffix(arg, "...")
	if recursive && arg == "" {
		arg = "."
	}
	p, name, err := c.locate(arg, open)
	if err != nil {
		return nil, err
	}
	return p.find(name, recursive)
}

// locate finds the project of a file or folder, and its path there.
func (c *Config) locate(arg string, open map[string]*project) (*project, string, error) {
	if c.FS != nil {
		p := &project{disk: c.FS}
		return p, path.Clean(arg), p.addSchema(c.memory())
	}
	abs, err := filepath.Abs(filepath.Join(c.Dir, arg))
	if filepath.IsAbs(arg) {
		abs, err = filepath.Clean(arg), nil
	}
	if err != nil {
		return nil, "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return nil, "", notThere(arg, err)
	}
	p, err := c.projectOf(real, open)
	if err != nil {
		return nil, "", err
	}
	rel, err := filepath.Rel(p.dir, real)
	return p, filepath.ToSlash(rel), err
}

// projectOf opens the project that a file or folder of the disk belongs to.
func (c *Config) projectOf(real string, open map[string]*project) (*project, error) {
	dir := real
	if info, err := os.Stat(real); err == nil && !info.IsDir() {
		dir = filepath.Dir(real)
	}
	root := findRoot(dir)
	if open[root] == nil {
		p, err := openProject(root, c.memory())
		if err != nil {
			return nil, loadError(diag.Pos{File: "cue.mod/module.cue", Dir: root}, err)
		}
		if p.without, err = c.without(root); err != nil {
			return nil, err
		}
		open[root] = p
	}
	return open[root], nil
}

// without is the file that is left out, as the project with that root names it.
func (c *Config) without(root string) (string, error) {
	if c.Without == "" {
		return "", nil
	}
	abs, err := filepath.Abs(filepath.Join(c.Dir, c.Without))
	if filepath.IsAbs(c.Without) {
		abs, err = c.Without, nil
	}
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", notThere(c.Without, err)
	}
	rel, err := filepath.Rel(root, real)
	return filepath.ToSlash(rel), err
}

func (c *Config) stdinTarget(open map[string]*project) ([]target, error) {
	data, err := readAllBounded(c.Stdin)
	if err != nil {
		return nil, loadError(diag.Pos{File: "<stdin>"}, err)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	if err := guard.Text(stdinFile, data); err != nil {
		return nil, loadError(diag.Pos{File: "<stdin>"}, err)
	}
	var p *project
	if c.FS != nil {
		p, _, err = c.locate(".", open)
	} else {
		p, err = c.projectOf(dir, open)
	}
	if err != nil {
		return nil, err
	}
	return []target{{project: p, dir: ".", file: stdinFile, stdin: data}}, nil
}

// find lists the targets at a path of the project.
func (p *project) find(name string, recursive bool) ([]target, error) {
	info, err := fs.Stat(p.disk, name)
	if err != nil {
		return nil, notThere(name, err)
	}
	switch {
	case !info.IsDir():
		return p.fileTarget(name)
	case recursive:
		return p.walk(name)
	}
	found, err := p.folder(name)
	if err == nil && len(found) == 0 {
		err = &diag.Diagnostic{Pos: p.pos(name), Severity: diag.Error, Code: diag.NotFound,
			Message: fmt.Sprintf("no CUE package in folder %q", name),
			Help:    "name a profile's file, or the folder that it stands in"}
	}
	return found, err
}

// fileTarget is the package that a file belongs to, or the file by itself.
func (p *project) fileTarget(name string) ([]target, error) {
	t := target{project: p, dir: path.Dir(name), file: name}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return []target{t}, nil
	case ".cue":
	default:
		return nil, &diag.Diagnostic{Pos: p.pos(name), Severity: diag.Error, Code: diag.NotFound,
			Message: fmt.Sprintf("%q is not a profile", name),
			Help:    "a profile's name ends in .cue, .yaml, .yml or .json"}
	}
	pkg, err := p.packageOf(name)
	if err != nil {
		return nil, loadError(p.pos(name), err)
	}
	t.pkg = pkg
	return []target{t}, nil
}

// packageOf reads a file's package clause; "" where it has none or where what
// stands before it does not parse, which loading will report in full.
func (p *project) packageOf(name string) (string, error) {
	data, err := p.session().read(name)
	if err != nil {
		return "", err
	}
	f, err := parser.ParseFile(name, data, parser.PackageClauseOnly)
	if err != nil || f == nil {
		return "", nil
	}
	return packageName(f), nil
}

func packageName(f *ast.File) string {
	if name := f.PackageName(); name != "_" {
		return name
	}
	return ""
}

// folder lists the packages of one folder, and its files without a package.
func (p *project) folder(dir string) (found []target, err error) {
	entries, err := p.session().ReadDir(dir)
	if err != nil {
		return nil, loadError(p.pos(dir), err)
	}
	seen := make(map[string]bool)
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".cue" || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") {
			continue
		}
		name := path.Join(dir, e.Name())
		pkg, err := p.packageOf(name)
		if err != nil {
			return nil, loadError(p.pos(name), err)
		}
		switch {
		case pkg == "":
			found = append(found, target{project: p, dir: dir, file: name})
		case !seen[pkg]:
			seen[pkg] = true
			found = append(found, target{project: p, dir: dir, pkg: pkg})
		}
	}
	slices.SortStableFunc(found, func(a, b target) int { return strings.Compare(a.pkg, b.pkg) })
	return found, nil
}

// walk lists the packages of a folder and of all below it, as CUE's "./..."
// does: without cue.mod, testdata and what begins with "." or "_".
func (p *project) walk(top string) (found []target, err error) {
	err = fs.WalkDir(p.disk, top, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return loadError(p.pos(name), err)
		}
		if !e.IsDir() {
			return nil
		}
		base := e.Name()
		if name != top && (base == "cue.mod" || base == "testdata" || base[0] == '.' || base[0] == '_') || name == p.schemaDir {
			return fs.SkipDir
		}
		in, err := p.folder(name)
		for i := range in {
			in[i].walked = true
		}
		found = append(found, in...)
		return err
	})
	return found, err
}

// pos is a file or folder of the project as a place.
func (p *project) pos(name string) diag.Pos { return diag.Pos{File: name, Dir: p.dir} }

func notThere(name string, err error) error {
	what := "cannot be read: " + cause(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = "does not exist"
	case !utf8.ValidString(name):
		what = "cannot be read: its name is not UTF-8, as the names of CUE files are"
	}
	return &diag.Diagnostic{Pos: diag.Pos{File: name}, Severity: diag.Error, Code: diag.NotFound,
		Message: fmt.Sprintf("%q %s", name, what)}
}

// loadError is what kept a file from being read.
func loadError(pos diag.Pos, err error) error {
	d := &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.Unreadable, Message: cause(err)}
	if errors.Is(err, guard.ErrTooLarge) {
		d.Code = diag.TooMuch
	}
	return d
}

// cause is the message of the innermost error, without the calls around it.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
