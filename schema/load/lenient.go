package load

import (
	"strings"
	"sync"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
)

// lenient is the schema without its constraints. A profile that imports
// them evaluates to just what the user's files say, so that each value can be
// held against the schema by itself; CUE's own errors for a whole profile hide
// one mistake behind another.
var lenient = sync.OnceValues(func() (map[string][]byte, error) {
	m := make(map[string][]byte)
	for name, data := range schema.Files() {
		f, err := parser.ParseFile(name, data)
		if err != nil {
			return nil, err
		}
		if name == basesFile {
			openStructs(f)
		} else {
			dropConstraints(f)
		}
		if m[name], err = format.Node(f); err != nil {
			return nil, err
		}
	}
	return m, nil
})

// schemaForm gives the schema's files as a profile imports them, by name.
type schemaForm func() (map[string][]byte, error)

// full is the schema as it is.
func full() (map[string][]byte, error) { return nil, nil }

// openRules is the schema that takes anything for a rule.
var openRules = sync.OnceValues(func() (map[string][]byte, error) {
	const name = "network.cue"
	m := schema.Files()
	f, err := parser.ParseFile(name, m[name])
	if err != nil {
		return nil, err
	}
	for _, d := range f.Decls {
		if field, ok := d.(*ast.Field); ok {
			if name, _, err := ast.LabelName(field.Label); err == nil && name == "#Rule" {
				field.Value = ast.NewIdent("_")
			}
		}
	}
	m[name], err = format.Node(f)
	return m, err
})

// basesFile holds the definitions that give values to profiles, which stay.
const basesFile = "bases.cue"

// dropConstraints leaves of every definition its name alone.
func dropConstraints(f *ast.File) {
	decls := []ast.Decl{&ast.Package{Name: ast.NewIdent("schema")}}
	for _, d := range f.Decls {
		field, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		if name, _, err := ast.LabelName(field.Label); err == nil && strings.HasPrefix(name, "#") {
			decls = append(decls, &ast.Field{Label: ast.NewIdent(name), Value: ast.NewIdent("_")})
		}
	}
	f.Decls = decls
}

// openStructs lets every struct of a file hold further fields.
func openStructs(f *ast.File) {
	ast.Walk(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructLit); ok {
			s.Elts = append(s.Elts, &ast.Ellipsis{})
		}
		return true
	}, nil)
}
