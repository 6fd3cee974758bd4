package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	cuejson "cuelang.org/go/encoding/json"
	"cuelang.org/go/encoding/yaml"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Export writes a profile with its defaults as "json", "yaml" or "cue".
func Export(p *Profile, as string) ([]byte, error) {
	if err := checkUTF8("", reflect.ValueOf(p)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, err
	}
	if as == "json" {
		return b.Bytes(), nil
	}
	expr, err := cuejson.Extract("profile", b.Bytes())
	if err != nil {
		return nil, err
	}
	switch as {
	case "yaml":
		return yaml.Encode(cuecontext.New().BuildExpr(expr))
	case "cue":
		return format.Node(&ast.File{Decls: expr.(*ast.StructLit).Elts}, format.Simplify())
	}
	return nil, fmt.Errorf("there is no format %q: want json, yaml or cue", as)
}

// A Value is one string, number or boolean of a profile.
type Value struct {
	Path  string // as CUE writes it
	Value any    // as encoding/json gives it
}

// Values lists all that a profile says, defaults and all, in the order of the
// paths' names; elements of lists keep theirs.
func (p *Profile) Values() ([]Value, error) {
	data, err := encode(p)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	return leaves("", tree, nil), nil
}

func leaves(path string, tree any, found []Value) []Value {
	switch t := tree.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(t)) {
			found = leaves(Field(path, name), t[name], found)
		}
	case []any:
		for i, e := range t {
			found = leaves(Elem(path, i), e, found)
		}
	default:
		found = append(found, Value{path, t})
	}
	return found
}

// CheckSyntax reports where a CUE file does not parse, as a [diag.List].
func CheckSyntax(name string, data []byte) error {
	_, err := parser.ParseFile(name, data, parser.ParseComments)
	if err == nil {
		return nil
	}
	e := errors.Errors(err)[0]
	pos := diag.Pos{File: name, Line: e.Position().Line(), Column: e.Position().Column(), Dir: "."}
	return diag.List{syntaxFault(pos, e)}
}
