package draft

import (
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/plain"
)

// The profile's syntax is put together from nodes, never from text: what units,
// packages and file names hold is quoted by CUE's own writer.

// maxRemark is the longest remark behind a line, in characters.
const maxRemark = 160

// group is a struct whose fields are added one by one.
type group struct{ fields []ast.Decl }

// add appends a field, with a remark behind it where there is one.
func (g *group) add(name string, value ast.Expr, remark string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.Newline)
	if remark != "" {
		ast.AddComment(f, behind(remark, 4))
	}
	g.fields = append(g.fields, f)
}

// noted appends a field with a remark above it, for those that are long.
func (g *group) noted(name string, value ast.Expr, remark string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.Newline)
	ast.AddComment(f, before([]string{remark}, false))
	g.fields = append(g.fields, f)
}

// section appends a field with an empty line and remarks before it.
func (g *group) section(name string, value ast.Expr, remarks ...string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.NewSection)
	if len(remarks) > 0 {
		ast.AddComment(f, before(remarks, true))
	}
	g.fields = append(g.fields, f)
}

func (g *group) empty() bool { return len(g.fields) == 0 }

// expr is the group as a struct over several lines.
func (g *group) expr() ast.Expr {
	return &ast.StructLit{Lbrace: token.Blank.Pos(), Elts: g.fields, Rbrace: token.Newline.Pos()}
}

// inline is the group as a struct on one line.
func (g *group) inline() ast.Expr {
	for i, f := range g.fields {
		ast.SetRelPos(f, token.Blank)
		if i == 0 {
			ast.SetRelPos(f, token.NoSpace)
		}
	}
	return &ast.StructLit{Lbrace: token.Blank.Pos(), Elts: g.fields, Rbrace: token.NoSpace.Pos()}
}

// item is a line of a list.
type item struct {
	value  ast.Expr
	remark string
}

// lines is a list with one item a line.
func lines(items []item) ast.Expr {
	var all []ast.Expr
	for _, i := range items {
		ast.SetRelPos(i.value, token.Newline)
		if i.remark != "" {
			ast.AddComment(i.value, behind(i.remark, 2))
		}
		all = append(all, i.value)
	}
	l := ast.NewList(all...)
	l.Lbrack, l.Rbrack = token.Blank.Pos(), token.Newline.Pos()
	return l
}

func text(s string) ast.Expr { return ast.NewString(s) }

func texts(all []string) ast.Expr {
	var list []ast.Expr
	for _, s := range all {
		list = append(list, text(s))
	}
	return ast.NewList(list...)
}

func behind(remark string, position int8) *ast.CommentGroup {
	return &ast.CommentGroup{Line: true, Position: position, List: []*ast.Comment{comment(remark)}}
}

func before(remarks []string, apart bool) *ast.CommentGroup {
	g := &ast.CommentGroup{Doc: true}
	for i, r := range remarks {
		c := comment(r)
		if i == 0 && apart {
			c.Slash = token.NewSection.Pos()
		}
		g.List = append(g.List, c)
	}
	return g
}

// comment is a remark on one line, whatever it holds.
func comment(remark string) *ast.Comment {
	words := strings.TrimLeft(remark, " ")
	indent := remark[:len(remark)-len(words)]
	line := []rune(strings.TrimRight(indent+plain.Line(strings.Join(strings.Fields(words), " ")), " "))
	if len(line) == 0 {
		return &ast.Comment{Text: "//"}
	}
	if len(line) > maxRemark {
		line = append(line[:maxRemark-1], '…')
	}
	return &ast.Comment{Text: "// " + string(line)}
}

// file writes the profile: a package with its header.
func file(name string, header []string, body *group) ([]byte, error) {
	pkg := &ast.Package{Name: ast.NewIdent(strings.ReplaceAll(name, "-", "_"))}
	ast.AddComment(pkg, before(header, false))
	schema := ast.NewImport(nil, "github.com/sbx-dev/sbx/schema")
	imports := &ast.ImportDecl{Specs: []*ast.ImportSpec{schema}}
	profile := ast.NewBinExpr(token.AND, ast.NewSel(ast.NewIdent("schema"), "#Profile"), body.expr())
	return format.Node(&ast.File{Decls: []ast.Decl{pkg, imports, &ast.EmbedDecl{Expr: profile}}}, format.Simplify())
}
