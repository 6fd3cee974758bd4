package load

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/sbx-dev/sbx/schema"

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
func Export(p *schema.Profile, as string) ([]byte, error) {
	if _, err := schema.Encode(p); err != nil { // JSON would change what is no text
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
