package schema

import (
	"bytes"
	"encoding/json"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/encoding/jsonschema"
)

// JSONSchema is #Profile as a JSON Schema. It is for editors: it does not hold
// what CUE's library checks, such as that an address is one.
func JSONSchema() ([]byte, error) {
	v, err := compilePlain()
	if err != nil {
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
