package schema

import (
	"bytes"
	"encoding/json"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	"cuelang.org/go/encoding/jsonschema"
)

// JSONSchema is #Profile as a JSON Schema. It is for editors: it does not hold
// what CUE's library checks, such as that an address is one.
func JSONSchema() ([]byte, error) {
	p := schemaProject()
	for name, data := range Files() {
		plain, err := withoutMessages(name, data)
		if err != nil {
			return nil, err
		}
		p.overlay["schema/"+name] = plain
	}
	v := cuecontext.New().BuildInstance(p.schemaInstance())
	if err := v.Err(); err != nil {
		return nil, err
	}
	expr, err := jsonschema.Generate(v.LookupPath(cue.MakePath(cue.Def("#Profile"))), &jsonschema.GenerateConfig{})
	if err != nil {
		return nil, err
	}
	data, err := cuecontext.New().BuildExpr(expr).MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, data, "", "  ")
	return b.Bytes(), err
}

// withoutMessages leaves the messages for people out of a file of the schema,
// and what JSON Schema has no word for.
func withoutMessages(name string, data []byte) ([]byte, error) {
	f, err := parser.ParseFile(name, data)
	if err != nil {
		return nil, err
	}
	tree := astutil.Apply(f, nil, func(c astutil.Cursor) bool {
		if b, ok := c.Node().(*ast.BinaryExpr); ok && b.Op == token.OR && isCallOf(b.Y, "error") {
			c.Replace(b.X)
		}
		return true
	})
	return format.Node(tree)
}

func isCallOf(e ast.Expr, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == name
}
