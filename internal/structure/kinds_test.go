package structure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A kind is asked (schema/backend.go, compiler/libvirt,
// runtime/internal/kinds), so that another one is a row there.
func TestNobodyComparesNamesOfBackends(t *testing.T) {
	root := "../.."
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (strings.HasPrefix(e.Name(), ".") && path != root || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if isComparison(n) {
				t.Errorf("%s: a backend is told by its name: ask its kind", files.Position(n.Pos()))
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isComparison says whether a node compares with a name, or chooses by one.
func isComparison(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return (n.Op == token.EQL || n.Op == token.NEQ) && (isBackend(n.X) || isBackend(n.Y))
	case *ast.CaseClause:
		return slices.ContainsFunc(n.List, isBackend)
	case *ast.KeyValueExpr: // of a map; a struct's field cannot be called so
		return isBackend(n.Key)
	}
	return false
}

// isBackend says whether an expression is a backend's name, in package schema or out
// of it.
func isBackend(e ast.Expr) bool {
	name := ""
	switch e := e.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		if from, ok := e.X.(*ast.Ident); ok && from.Name == "schema" {
			name = e.Sel.Name
		}
	}
	return name == "LXC" || name == "KVM"
}
