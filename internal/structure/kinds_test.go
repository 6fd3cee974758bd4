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

// Who may tell backends apart by name: schema, which says what each of them takes,
// and the compiler and the review, which have no registry yet.
var tellApart = []string{"schema", "compiler", "compiler/review"}

// A kind is asked (runtime/kind.go), so that another one is a row there.
func TestNobodyComparesNamesOfBackends(t *testing.T) {
	root := "../.."
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if e.IsDir() && (strings.HasPrefix(e.Name(), ".") && path != root || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || slices.Contains(tellApart, filepath.ToSlash(filepath.Dir(rel))) {
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

func isBackend(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	from, ok := s.X.(*ast.Ident)
	return ok && from.Name == "schema" && (s.Sel.Name == "LXC" || s.Sel.Name == "KVM")
}
