package load

import (
	"strings"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	cuejson "cuelang.org/go/encoding/json"
)

// Format writes a profile as CUE that gives the same profile when it is loaded.
// What the schema's defaults say is left out.
func Format(p *schema.Profile) ([]byte, error) {
	own, err := syntax(p)
	if err != nil {
		return nil, err
	}
	usual, err := syntax(schema.Defaults())
	if err != nil {
		return nil, err
	}
	own, err = without(own, usual)
	if err != nil {
		return nil, err
	}
	if p.Hostname == p.Name {
		drop(own, "hostname")
	}
	body, err := format.Node(own, format.Simplify())
	if err != nil {
		return nil, err
	}
	header := "package " + strings.ReplaceAll(p.Name, "-", "_") + "\n\n" +
		"import \"github.com/sbx-dev/sbx/schema\"\n\nschema.#Profile & "
	return append(append([]byte(header), body...), '\n'), nil
}

// syntax is the profile as a CUE struct, in the order of its Go fields.
func syntax(p *schema.Profile) (*ast.StructLit, error) {
	data, err := schema.Encode(p)
	if err != nil {
		return nil, err
	}
	expr, err := cuejson.Extract("profile", data)
	if err != nil {
		return nil, err
	}
	return expr.(*ast.StructLit), nil
}

// without takes from a struct the fields that are the same in usual.
func without(s, usual *ast.StructLit) (*ast.StructLit, error) {
	kept := &ast.StructLit{}
	for _, e := range s.Elts {
		f, ok := e.(*ast.Field)
		if !ok {
			continue
		}
		same, err := sameField(f, usual)
		if err != nil {
			return nil, err
		}
		if !same {
			kept.Elts = append(kept.Elts, f)
		}
	}
	return kept, nil
}

// sameField says whether usual has the field with the same value; of a struct
// it takes away what is the same.
func sameField(f *ast.Field, usual *ast.StructLit) (bool, error) {
	other := field(usual, label(f))
	if other == nil {
		return false, nil
	}
	if inner, ok := f.Value.(*ast.StructLit); ok {
		if usualInner, ok := other.Value.(*ast.StructLit); ok {
			kept, err := without(inner, usualInner)
			f.Value = kept
			return err == nil && len(kept.Elts) == 0, err
		}
	}
	a, err := format.Node(f.Value)
	if err != nil {
		return false, err
	}
	b, err := format.Node(other.Value)
	return string(a) == string(b), err
}

func field(s *ast.StructLit, name string) *ast.Field {
	for _, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok && label(f) == name {
			return f
		}
	}
	return nil
}

func label(f *ast.Field) string {
	name, _, err := ast.LabelName(f.Label)
	if err != nil {
		return ""
	}
	return name
}

func drop(s *ast.StructLit, name string) {
	for i, e := range s.Elts {
		if f, ok := e.(*ast.Field); ok && label(f) == name {
			s.Elts = append(s.Elts[:i], s.Elts[i+1:]...)
			return
		}
	}
}
