package reference

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/pattern"
)

// reader walks from the profile to all that it is made of.
type reader struct {
	defs     map[string]*definition
	sections []*Section // in the order in which they were met
	missing  []error
}

func read(defs map[string]*definition) ([]Section, error) {
	r := &reader{defs: defs}
	r.section("#Profile", "", "")
	list := make([]Section, len(r.sections))
	for i, s := range r.sections {
		list[i] = *s
	}
	return list, errors.Join(r.missing...)
}

// lacks notes what a comment leaves out.
func (r *reader) lacks(where, what, example string) {
	r.missing = append(r.missing, fmt.Errorf("%s has no %s in the schema's comment; write it as in\n\t%s", where, what, example))
}

// section reads the struct of a name, which stands at a place, unless it is known
// from elsewhere. backend is the one that alone has it there.
func (r *reader) section(name, place, backend string) {
	if i := slices.IndexFunc(r.sections, func(s *Section) bool { return s.Definition == name }); i >= 0 {
		r.sections[i].Places = append(r.sections[i].Places, place)
		return
	}
	def := r.defs[name]
	fields, oneOf := def.shape()
	s := &Section{Definition: name, Places: []string{place}, OneOf: oneOf}
	r.sections = append(r.sections, s)
	if s.Doc, _ = prose(def.doc); s.Doc == "" {
		r.lacks(name, "comment", "// "+name+" is …")
	}
	for _, f := range fields {
		s.Fields = append(s.Fields, r.field(s, f, backend))
	}
	for i, f := range fields {
		path := s.Fields[i].Path
		r.below(f.Value, path, key(f), s.Fields[i].Backend)
	}
}

// below reads the sections that a field's value holds.
func (r *reader) below(e ast.Expr, path, key, backend string) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		r.below(e.X, path, key, backend)
	case *ast.BinaryExpr:
		r.below(e.X, path, key, backend)
		if e.Op == token.OR && sameInList(e.X, e.Y) {
			return // "#Rule | [...#Rule]" has one section
		}
		r.below(e.Y, path, key, backend)
	case *ast.ListLit:
		if tail, ok := e.Elts[len(e.Elts)-1].(*ast.Ellipsis); ok {
			r.below(tail.Type, path+"[]", key, backend)
		}
	case *ast.StructLit:
		for _, elt := range e.Elts {
			if f, ok := elt.(*ast.Field); ok {
				r.below(f.Value, path+"."+key, key, backend)
			}
		}
	case *ast.Ident:
		def := r.defs[e.Name]
		if def == nil {
			return
		}
		if fields, _ := def.shape(); fields != nil {
			r.section(e.Name, path, backend)
		} else {
			r.below(def.expr, path, key, backend)
		}
	}
}

// sameInList reports whether list, bounded or not, is a list of what one is.
func sameInList(one, list ast.Expr) bool {
	ident, ok := one.(*ast.Ident)
	if !ok {
		return false
	}
	for _, part := range operands(list, token.AND) {
		if lit, ok := part.(*ast.ListLit); ok {
			tail, ok := lit.Elts[len(lit.Elts)-1].(*ast.Ellipsis)
			if !ok {
				return false
			}
			of, ok := tail.Type.(*ast.Ident)
			return ok && of.Name == ident.Name
		}
	}
	return false
}

// key is what stands for any key of a map: "PATH" for one with @keys(#Path), and
// "NAME" for one with @keys(#EnvName).
func key(f *ast.Field) string {
	for _, a := range f.Attrs {
		if name, body := a.Split(); name == "keys" {
			return strings.ToUpper(body[strings.LastIndexFunc(body, unicode.IsUpper):])
		}
	}
	return "NAME"
}

var (
	defaultOf = pattern.Of(`\s*\(default: ((?:[^()]|\([^()]*\))*)\)`)
	only      = pattern.Of(`\s*\b(lxc|kvm) only\.`)
)

// field reads one field of a section.
func (r *reader) field(s *Section, f *ast.Field, backend string) Field {
	name := f.Label.(*ast.Ident).Name
	out := Field{
		Name:     name,
		Path:     join(s.Places[0], name),
		Required: f.Constraint == token.NOT,
		OneOf:    slices.Contains(s.OneOf, name),
		Backend:  backend,
	}
	out.Doc, out.Example = prose(comment(f))
	if m := defaultOf().FindStringSubmatch(out.Doc); m != nil {
		out.Default = m[1]
		out.Doc = defaultOf().ReplaceAllLiteralString(out.Doc, "")
	}
	if m := only().FindStringSubmatch(out.Doc); m != nil {
		out.Backend = m[1]
		out.Doc = only().ReplaceAllLiteralString(out.Doc, "")
	}
	where := s.Definition + "." + name
	if strings.TrimSpace(out.Doc) == "" {
		r.lacks(where, "comment", "// "+name+" is …")
	}
	if out.Default == "" && !out.Required && !out.OneOf {
		r.lacks(where, "default", "(default: none)")
	}
	if out.Example == "" {
		r.lacks(where, "example", "//\n\t//\t"+name+": …")
	}
	text, err := r.typeOf(f.Value, key(f))
	if err != nil {
		r.missing = append(r.missing, fmt.Errorf("%s: %w", where, err))
	}
	out.Type = text
	return out
}

// prose takes a comment apart: paragraphs, a line each, and the example, which is
// what is indented.
func prose(text string) (doc, example string) {
	var paragraph, paragraphs, code []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indented, ok := strings.CutPrefix(line, "\t")
		switch {
		case ok:
			code = append(code, indented)
		case line != "":
			paragraph = append(paragraph, line)
		case paragraph != nil:
			paragraphs = append(paragraphs, strings.Join(paragraph, " "))
			paragraph = nil
		}
	}
	if paragraph != nil {
		paragraphs = append(paragraphs, strings.Join(paragraph, " "))
	}
	return strings.Join(paragraphs, "\n"), strings.Join(code, "\n")
}
