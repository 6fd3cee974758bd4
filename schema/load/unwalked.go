package load

import (
	"crypto/sha256"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Unwalked is a file that can be a profile, or a part of one, and that loading a
// folder with all that is below it ("DIR/...") does not read.
type Unwalked struct {
	Name   string            // its slash path below the folder
	Arg    string            // how Load is told to read it
	Tagged bool              // it is read only with other tags than the Config's
	Sum    [sha256.Size]byte // of its content
}

// Data says whether it is YAML or JSON, which may be anything.
func (u Unwalked) Data() bool { return isData(u.Name) }

func isData(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(name))
}

// Unwalked lists these files of a folder, in the order of their names: YAML and
// JSON, what is or lies in something that CUE passes over ("_x", ".x", testdata),
// and CUE that an @if or @ignore leaves out. What is too large for a profile is
// none.
func (c *Config) Unwalked(dir string) ([]Unwalked, error) {
	p, top, err := c.locate(dir, make(map[string]*project))
	if err != nil {
		return nil, asList(err)
	}
	var found []Unwalked
	err = fs.WalkDir(p.disk, top, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return loadError(p.pos(name), err)
		case e.IsDir() && (e.Name() == ".git" || name == p.schemaDir || hidden(name)):
			return fs.SkipDir
		case path.Base(path.Dir(name)) == "cue.mod":
			return nil // what makes the folder a project
		case e.IsDir() || path.Ext(name) != ".cue" && !isData(name):
			return nil
		}
		data, err := p.session().read(name)
		if err != nil {
			return nil
		}
		u := Unwalked{Name: strings.TrimPrefix(strings.TrimPrefix("/"+name, path.Join("/", top)), "/"), Arg: name, Tagged: c.leavesOut(name, data), Sum: sha256.Sum256(data)}
		if p.dir != "" {
			u.Arg = filepath.Join(p.dir, name)
		}
		if u.Tagged || u.Data() || isPassedOver(u.Name) {
			found = append(found, u)
		}
		return nil
	})
	if err != nil {
		return nil, asList(err)
	}
	return found, nil
}

// isPassedOver says whether CUE's "./..." leaves out a file by its name or by one
// of the folders that it lies in.
func isPassedOver(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return part == "testdata" || part == "cue.mod" || part[0] == '_' || part[0] == '.'
	})
}

// leavesOut says whether a CUE file is not read with the Config's tags: by @ignore,
// or by an @if that does not hold or is not understood.
func (c *Config) leavesOut(name string, data []byte) bool {
	if isData(name) {
		return false
	}
	f, err := parser.ParseFile(name, data, parser.ImportsOnly)
	if f == nil || err != nil {
		return false // loading it says what is wrong
	}
	for _, d := range f.Decls {
		attribute, ok := d.(*ast.Attribute)
		if !ok {
			continue
		}
		switch key, body := attribute.Split(); key {
		case "ignore":
			return true
		case "if":
			expr, err := parser.ParseExpr(name, body)
			if err != nil || !c.holds(expr) {
				return true
			}
		}
	}
	return false
}

// holds evaluates an @if: names of tags, "!", "&&", "||" and parentheses.
func (c *Config) holds(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return slices.Contains(c.Tags, x.Name)
	case *ast.ParenExpr:
		return c.holds(x.X)
	case *ast.UnaryExpr:
		return x.Op == token.NOT && !c.holds(x.X)
	case *ast.BinaryExpr:
		switch x.Op {
		case token.LAND:
			return c.holds(x.X) && c.holds(x.Y)
		case token.LOR:
			return c.holds(x.X) || c.holds(x.Y)
		}
	}
	return false
}
