package load

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/schema/diag"
)

// source implements schema.Source from the syntax trees of the user's files.
type source struct {
	project   *project
	first     diag.Pos // where the profile begins
	places    map[string]place
	others    map[string][]ast.Node // values that are given for a path again
	rules     map[diag.Pos]bool     // calls of error(), which are rules that a person wrote
	policyDir string                // what the names of a policy's files are relative to
	tags      map[string]string     // the names of fields with an @tag, and its key
}

// place is where a value and its label stand.
type place struct {
	label, value ast.Node
}

// node is what a person means by the place: of a struct its label, else the
// value.
func (p place) node() ast.Node {
	if _, ok := p.value.(*ast.StructLit); ok && p.label != nil {
		return p.label
	}
	return p.value
}

func newSource(p *project, trees []*ast.File) *source {
	s := &source{project: p, places: make(map[string]place), others: make(map[string][]ast.Node), rules: make(map[diag.Pos]bool), tags: make(map[string]string)}
	trees = slices.Clone(trees)
	slices.SortStableFunc(trees, func(a, b *ast.File) int {
		return strings.Count(b.Filename, "/") - strings.Count(a.Filename, "/")
	})
	for _, f := range trees {
		if s.first == (diag.Pos{}) {
			s.first = s.fileStart(f)
		}
		s.decls("", f.Decls, 0)
		s.findRules(f)
	}
	return s
}

// fileStart is the first declaration of a file, or its beginning.
func (s *source) fileStart(f *ast.File) diag.Pos {
	for _, d := range f.Decls {
		switch d.(type) {
		case *ast.EmbedDecl, *ast.Field:
			return s.At(d.Pos())
		}
	}
	return diag.Pos{File: path.Clean(f.Filename), Line: 1, Column: 1, Dir: s.project.dir}
}

// Pos implements schema.Source.
func (s *source) Pos(path string) diag.Pos {
	for path != "" {
		if p, ok := s.Origin(path); ok {
			return p
		}
		path = schema.Enclosing(path)
	}
	return s.first
}

// Origin implements schema.Source.
func (s *source) Origin(path string) (diag.Pos, bool) {
	if p, ok := s.places[path]; ok {
		return s.nodePos(p.node()), true
	}
	return diag.Pos{}, false
}

// final is the source of a profile that is right. It keeps the places alone,
// not the syntax trees, so that many profiles take little memory. For values
// that no file writes at their own path it finds where v has them from: a
// comprehension, a template, or a base of the schema.
func (s *source) final(v cue.Value) places {
	p := make(places, len(s.places)+1)
	for path, at := range s.places {
		p[path] = s.nodePos(at.node())
		if isLiteral(at.value) { // which may be a list that is written as its one element
			p[schema.Elem(path, 0)] = p[path]
		}
	}
	s.addComputed(p, v, "")
	p[""] = s.first
	return p
}

func (s *source) addComputed(p places, v cue.Value, path string) {
	switch v.IncompleteKind() {
	case cue.StructKind:
		for it, err := v.Fields(); err == nil && it.Next(); {
			s.addComputed(p, it.Value(), schema.Field(path, it.Selector().Unquoted()))
		}
	case cue.ListKind:
		it, err := v.List()
		for i := 0; err == nil && it.Next(); i++ {
			s.addComputed(p, it.Value(), schema.Elem(path, i))
		}
	default:
		if at := v.Pos(); at.IsValid() && p[path] == (diag.Pos{}) {
			p[path] = s.At(at)
		}
	}
}

// places are where the values of a profile stand; "" is the profile itself.
type places map[string]diag.Pos

// Origin implements schema.Source.
func (p places) Origin(path string) (diag.Pos, bool) {
	at, ok := p[path]
	return at, ok
}

// Pos implements schema.Source.
func (p places) Pos(path string) diag.Pos {
	for ; path != ""; path = schema.Enclosing(path) {
		if at, ok := p[path]; ok {
			return at
		}
	}
	return p[""]
}

// At is a position of CUE's as a place of the project.
func (s *source) At(p token.Pos) diag.Pos {
	if !p.IsValid() {
		return diag.Pos{}
	}
	return s.policyPos(diag.Pos{File: p.Filename(), Line: p.Line(), Column: p.Column(), Dir: s.project.dir})
}

// nodePos is where a syntax node stands, with its end if that is on its line.
func (s *source) nodePos(n ast.Node) diag.Pos {
	p := s.At(n.Pos())
	if end := n.End(); end.IsValid() && end.Line() == p.Line {
		p.End = end.Column()
	}
	return p
}

// Label is where a field's name stands.
func (s *source) Label(path string) diag.Pos {
	if p, ok := s.places[path]; ok && p.label != nil {
		return s.nodePos(p.label)
	}
	return s.Pos(path)
}

// First is where the profile begins.
func (s *source) First() diag.Pos { return s.first }

// Written is where a person looks for the value of a path that the files give.
func (s *source) Written(path string) (pos diag.Pos, ok bool) {
	p, ok := s.places[path]
	if !ok {
		return pos, false
	}
	return s.nodePos(p.node()), true
}

// Again is where other values of the same path are given.
func (s *source) Again(path string) (list []diag.Pos) {
	for _, n := range s.others[path] {
		list = append(list, s.nodePos(n))
	}
	return list
}

// IsRule says whether a call of error() stands there, which a person wrote.
func (s *source) IsRule(at diag.Pos) bool { return s.rules[at] }

// TagHelp says how to set a value that a tag is to give.
func (s *source) TagHelp(path string) string {
	p := s.places[path]
	for _, n := range []ast.Node{p.label, p.value} {
		id, ok := n.(*ast.Ident)
		if ok && s.tags[id.Name] != "" {
			return fmt.Sprintf("set it with --tag %s=VALUE", s.tags[id.Name])
		}
	}
	return ""
}

// maxFollowed bounds how many references are followed to where a value stands.
const maxFollowed = 8

func (s *source) decls(path string, decls []ast.Decl, followed int) {
	for _, d := range decls {
		switch d := d.(type) {
		case *ast.Field:
			s.field(path, d, followed)
		case *ast.EmbedDecl:
			s.expr(path, d.Expr, followed)
		case *ast.Comprehension:
			s.expr(path, d.Value, followed)
		}
	}
}

func (s *source) field(path string, f *ast.Field, followed int) {
	label := f.Label
	if alias, ok := label.(*ast.Alias); ok {
		label, _ = alias.Expr.(ast.Label)
	}
	name, isIdent, err := ast.LabelName(label)
	for _, a := range f.Attrs {
		if key, body := a.Split(); key == "tag" && err == nil {
			s.tags[name], _, _ = strings.Cut(body, ",")
		}
	}
	if err != nil || isIdent && (strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#")) {
		return
	}
	at := schema.Field(path, name)
	have, ok := s.places[at]
	switch {
	case !ok:
		s.places[at] = place{label: f.Label, value: f.Value}
	case isLiteral(f.Value) && !isLiteral(have.value):
		s.places[at] = place{label: f.Label, value: f.Value}
		s.others[at] = append(s.others[at], have.value)
	default:
		s.others[at] = append(s.others[at], f.Value)
	}
	s.expr(at, f.Value, followed)
}

// findRules remembers where a file calls error().
func (s *source) findRules(f *ast.File) {
	ast.Walk(f, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if id, ok := c.Fun.(*ast.Ident); ok && id.Name == "error" {
				s.rules[s.At(c.Pos())] = true
			}
		}
		return true
	}, nil)
}

func isLiteral(n ast.Node) bool {
	_, ok := n.(*ast.BasicLit)
	return ok
}

func (s *source) expr(path string, e ast.Expr, followed int) {
	switch e := e.(type) {
	case *ast.StructLit:
		s.decls(path, e.Elts, followed)
	case *ast.ListLit:
		s.list(path, e, followed)
	case *ast.BinaryExpr:
		s.expr(path, e.X, followed)
		s.expr(path, e.Y, followed)
	case *ast.UnaryExpr:
		s.expr(path, e.X, followed)
	case *ast.ParenExpr:
		s.expr(path, e.X, followed)
	case *ast.Ident:
		if f, ok := e.Node.(*ast.Field); ok && followed < maxFollowed {
			s.expr(path, f.Value, followed+1)
		}
	}
}

func (s *source) list(path string, l *ast.ListLit, followed int) {
	for i, e := range l.Elts {
		switch e.(type) {
		case *ast.Ellipsis, *ast.Comprehension:
			return // what follows stands at no fixed index
		}
		at := schema.Elem(path, i)
		if _, ok := s.places[at]; !ok {
			s.places[at] = place{value: e}
		}
		s.expr(at, e, followed)
	}
}
