package load

import (
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
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	closeMaps(tree)
	if data, err = json.MarshalIndent(tree, "", "  "); err != nil {
		return nil, err
	}
	return data, nil
}

// closeMaps refuses the keys that no pattern of a map takes, which generating
// leaves open.
func closeMaps(tree any) {
	switch t := tree.(type) {
	case map[string]any:
		if _, ok := t["patternProperties"]; ok && t["additionalProperties"] == nil {
			t["additionalProperties"] = false
		}
		for _, v := range t {
			closeMaps(v)
		}
	case []any:
		for _, v := range t {
			closeMaps(v)
		}
	}
}
