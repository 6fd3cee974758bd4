// Package cuetext puts the text of a profile together from nodes, never from text: what
// units, packages and file names hold is quoted by CUE's own writer. Each line may have a
// remark.
package cuetext

import (
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/plain"
)

// maxRemark is the longest remark behind a line, in characters.
const maxRemark = 160

// Group is a struct whose fields are added one by one.
type Group struct{ fields []ast.Decl }

// Add appends a field, with a remark behind it where there is one.
func (g *Group) Add(name string, value ast.Expr, remark string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.Newline)
	if remark != "" {
		ast.AddComment(f, behind(remark, 4))
	}
	g.fields = append(g.fields, f)
}

// Noted appends a field with a remark above it, for those that are long.
func (g *Group) Noted(name string, value ast.Expr, remark string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.Newline)
	ast.AddComment(f, before([]string{remark}, false))
	g.fields = append(g.fields, f)
}

// Section appends a field with an empty line and remarks before it.
func (g *Group) Section(name string, value ast.Expr, remarks ...string) {
	f := &ast.Field{Label: ast.NewStringLabel(name), Value: value}
	ast.SetRelPos(f, token.NewSection)
	if len(remarks) > 0 {
		ast.AddComment(f, before(remarks, true))
	}
	g.fields = append(g.fields, f)
}

// Empty says whether it has no field yet.
func (g *Group) Empty() bool { return len(g.fields) == 0 }

// Expr is the group as a struct over several lines.
func (g *Group) Expr() ast.Expr {
	return &ast.StructLit{Lbrace: token.Blank.Pos(), Elts: g.fields, Rbrace: token.Newline.Pos()}
}

// Inline is the group as a struct on one line.
func (g *Group) Inline() ast.Expr {
	for i, f := range g.fields {
		ast.SetRelPos(f, token.Blank)
		if i == 0 {
			ast.SetRelPos(f, token.NoSpace)
		}
	}
	return &ast.StructLit{Lbrace: token.Blank.Pos(), Elts: g.fields, Rbrace: token.NoSpace.Pos()}
}

// Item is a line of a list.
type Item struct {
	Value  ast.Expr
	Remark string
}

// Lines is a list with one item a line.
func Lines(items []Item) ast.Expr {
	var all []ast.Expr
	for _, i := range items {
		ast.SetRelPos(i.Value, token.Newline)
		if i.Remark != "" {
			ast.AddComment(i.Value, behind(i.Remark, 2))
		}
		all = append(all, i.Value)
	}
	l := ast.NewList(all...)
	l.Lbrack, l.Rbrack = token.Blank.Pos(), token.Newline.Pos()
	return l
}

// Text is a string.
func Text(s string) ast.Expr { return ast.NewString(s) }

// Texts is a list of strings on one line.
func Texts(all []string) ast.Expr {
	var list []ast.Expr
	for _, s := range all {
		list = append(list, Text(s))
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

// File writes the profile: a package with its header.
func File(name string, header []string, body *Group) ([]byte, error) {
	pkg := &ast.Package{Name: ast.NewIdent(strings.ReplaceAll(name, "-", "_"))}
	ast.AddComment(pkg, before(header, false))
	schema := ast.NewImport(nil, "github.com/sbx-dev/sbx/schema")
	imports := &ast.ImportDecl{Specs: []*ast.ImportSpec{schema}}
	profile := ast.NewBinExpr(token.AND, ast.NewSel(ast.NewIdent("schema"), "#Profile"), body.Expr())
	return format.Node(&ast.File{Decls: []ast.Decl{pkg, imports, &ast.EmbedDecl{Expr: profile}}}, format.Simplify())
}

// Number is a whole number.
func Number(n int) ast.Expr { return ast.NewLit(token.INT, strconv.Itoa(n)) }
