package structure_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each start of a program initialises all its packages: none of ours compiles a regular
// expression then. And each that is compiled when it is first used is one.
func TestNoRegularExpressionIsCompiledAtTheStart(t *testing.T) {
	patterns := 0
	for _, line := range list(t, "-f", `{{.Dir}}>{{join .GoFiles ","}}`, "../../...") {
		dir, names, _ := strings.Cut(line, ">")
		fset := token.NewFileSet()
		var files []*ast.File
		for name := range strings.SplitSeq(names, ",") {
			if name == "" {
				continue // it has tests alone
			}
			f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		// Constants are wanted, for which nothing need be imported.
		info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		_, _ = (&types.Config{Error: func(error) {}, FakeImportC: true}).Check(dir, fset, files, &info)
		for _, f := range files {
			for _, d := range f.Decls {
				if vars, ok := d.(*ast.GenDecl); ok {
					ast.Inspect(vars, func(n ast.Node) bool {
						_, later := n.(*ast.FuncLit)
						if call, ok := n.(*ast.CallExpr); ok && strings.HasPrefix(types.ExprString(call.Fun), "regexp.") {
							t.Errorf("%s: each start of each program compiles it, needed or not: use internal/pattern", fset.Position(call.Pos()))
						}
						return !later
					})
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || types.ExprString(call.Fun) != "pattern.Of" {
					return true
				}
				patterns++
				if text := info.Types[call.Args[0]].Value; text == nil {
					t.Errorf("%s: not a constant, of which this test could say whether it compiles", fset.Position(call.Pos()))
				} else if _, err := regexp.Compile(constant.StringVal(text)); err != nil {
					t.Errorf("%s: %v", fset.Position(call.Pos()), err)
				}
				return true
			})
		}
	}
	if patterns == 0 {
		t.Error("nobody uses internal/pattern: the test shows nothing")
	}
}
