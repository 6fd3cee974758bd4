package reference

import (
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/schema"
)

// definition is a "#Name: …" of the schema, or a hidden "_name: …".
type definition struct {
	name string
	doc  string
	expr ast.Expr
}

// definitions reads the schema's files, as text: evaluated, it has no comments.
func definitions() map[string]*definition { return parse(schema.Files()) }

func parse(files map[string][]byte) map[string]*definition {
	defs := map[string]*definition{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(name, files[name], parser.ParseComments)
		if err != nil {
			panic(err) // the files are part of the program
		}
		for _, d := range f.Decls {
			field, ok := d.(*ast.Field)
			if !ok {
				continue
			}
			if label, ok := field.Label.(*ast.Ident); ok {
				defs[label.Name] = &definition{label.Name, comment(field), field.Value}
			}
		}
	}
	return defs
}

// comment is what stands above a field.
func comment(n ast.Node) string {
	var text strings.Builder
	for _, group := range ast.Comments(n) {
		if group.Doc {
			text.WriteString(group.Text())
		}
	}
	return text.String()
}

// shape takes a struct's definition apart: its fields, and those of which exactly
// one is given. Nil is what is no struct with fields of its own.
func (d *definition) shape() (fields []*ast.Field, oneOf []string) {
	for _, part := range operands(d.expr, token.AND) {
		call, ok := part.(*ast.CallExpr)
		if ok && callee(call) == "matchN" {
			oneOf = alternatives(call)
		}
		if ok && callee(call) == "close" {
			part = call.Args[0]
		}
		if lit, ok := part.(*ast.StructLit); ok {
			fields = append(fields, regular(lit)...)
		}
	}
	return fields, oneOf
}

// regular are the fields of a struct that have a name.
func regular(lit *ast.StructLit) (fields []*ast.Field) {
	for _, e := range lit.Elts {
		if f, ok := e.(*ast.Field); ok {
			if _, named := f.Label.(*ast.Ident); named {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// alternatives reads matchN(1, [{host!: _}, {tmpfs!: _}]).
func alternatives(call *ast.CallExpr) (names []string) {
	list, ok := call.Args[len(call.Args)-1].(*ast.ListLit)
	if !ok {
		return nil
	}
	for _, e := range list.Elts {
		if lit, ok := e.(*ast.StructLit); ok {
			for _, f := range regular(lit) {
				names = append(names, f.Label.(*ast.Ident).Name)
			}
		}
	}
	return names
}

// operands are what an operator stands between: of "a & b & c", all three.
func operands(e ast.Expr, op token.Token) []ast.Expr {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return operands(e.X, op)
	case *ast.BinaryExpr:
		if e.Op == op {
			return append(operands(e.X, op), operands(e.Y, op)...)
		}
	}
	return []ast.Expr{e}
}

// callee is the name of the function that is called: "list.MaxItems".
func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		name, _, _ := ast.LabelName(f.Sel)
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + name
		}
	}
	return ""
}
