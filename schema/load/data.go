package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"strconv"

	"cuelang.org/go/cue/ast"
	cuejson "cuelang.org/go/encoding/json"
	cueyaml "cuelang.org/go/encoding/yaml"

	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/schema/diag"
)

// parseData reads a YAML or JSON file as CUE, with its positions.
func parseData(p *project, name string, data []byte) (*ast.File, error) {
	if path.Ext(name) == ".json" {
		var any json.RawMessage
		if err := json.Unmarshal(data, &any); err != nil {
			return nil, jsonFault(p.pos(name), data, err)
		}
		expr, err := cuejson.Extract(name, data)
		if err != nil {
			return nil, err
		}
		return &ast.File{Filename: name, Decls: []ast.Decl{&ast.EmbedDecl{Expr: expr}}}, nil
	}
	f, err := cueyaml.Extract(name, data)
	if err != nil {
		return nil, yamlFault(p.pos(name), err)
	}
	return f, nil
}

// jsonFault places an error of encoding/json, which counts bytes.
func jsonFault(pos diag.Pos, data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := data[:max(0, min(int(syntax.Offset)-1, len(data)))]
		pos.Line = bytes.Count(before, []byte("\n")) + 1
		pos.Column = len(before) - bytes.LastIndexByte(before, '\n')
	}
	return &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.Syntax, Message: err.Error()}
}

// yamlText is how the YAML reader words an error.
var yamlText = pattern.Of(`^.*?:(\d+): (.*)$`)

func yamlFault(pos diag.Pos, err error) error {
	message := err.Error()
	if m := yamlText().FindStringSubmatch(message); m != nil {
		pos.Line, _ = strconv.Atoi(m[1])
		pos.Column = 1
		message = m[2]
	}
	return &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.Syntax, Message: message}
}
