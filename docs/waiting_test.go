package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are folders whose durations bound nothing that a user waits for: they
// are for tests, or values of profiles.
var elsewhere = []string{"schema/defaults.go", "schema/check.go", "internal/hostile", "internal/lab", "internal/otherhost", "internal/probe", "internal/randomprofile", "internal/suite", "internal/testhost"}

// TestWaiting holds waiting.md's tables to the program: each bound of a second or
// more has a name there, and each name there is one.
func TestWaiting(t *testing.T) {
	page, err := os.ReadFile("waiting.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^.*\\| `([a-z/]+\\.[A-Za-z]+)` \\|$").FindAllSubmatch(page, -1) {
		told = append(told, string(m[1]))
	}
	found := bounds(t)
	for _, name := range found {
		if !slices.Contains(told, name) {
			t.Errorf("waiting.md does not say what happens after %s, and on a slow machine", name)
		}
	}
	for _, name := range told {
		if !slices.Contains(found, name) {
			t.Errorf("waiting.md tells of %s, which is none", name)
		}
	}
}

// bounds are the names of durations of a second or more, with their folders.
func bounds(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, "../")
		skip := slices.ContainsFunc(elsewhere, func(e string) bool { return name == e }) || strings.HasPrefix(d.Name(), ".") && path != ".."
		switch {
		case err != nil:
			return err
		case skip && d.IsDir():
			return fs.SkipDir
		case skip || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		names = append(names, boundsOf(t, file, name)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func boundsOf(t *testing.T, file *ast.File, name string) (names []string) {
	named := make(map[ast.Expr]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for i, v := range n.Values {
				if seconds(v) {
					named[v] = true
					names = append(names, filepath.Dir(name)+"."+n.Names[i].Name)
				}
			}
		case *ast.BinaryExpr:
			if seconds(n) && !named[n] {
				t.Errorf("%s: a duration of seconds has no name: make it a constant", name)
			}
		}
		return true
	})
	return names
}

// seconds reports whether an expression is a number of seconds, minutes or hours,
// or one of them.
func seconds(e ast.Expr) bool {
	if product, ok := e.(*ast.BinaryExpr); ok {
		number, isNumber := product.X.(*ast.BasicLit)
		if product.Op != token.MUL || !isNumber || number.Kind != token.INT {
			return false
		}
		e = product.Y
	}
	unit, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := unit.X.(*ast.Ident)
	return ok && pkg.Name == "time" && slices.Contains([]string{"Second", "Minute", "Hour"}, unit.Sel.Name)
}
