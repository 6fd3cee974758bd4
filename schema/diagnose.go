package schema

import (
	"cuelang.org/go/cue/errors"
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/schema/diag"
)

func diagnoseLoad(t target, err error) diag.List {
	if list, ok := diag.From(err); ok {
		return list
	}
	return diagnoseValue(t, newSource(t.project, nil), err)
}

func diagnoseValue(t target, src *source, err error) (list diag.List) {
	seen := map[string]bool{}
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		d := &diag.Diagnostic{Severity: diag.Error, Code: diag.Malformed, Message: fmt.Sprintf(format, args...), Path: strings.Join(e.Path(), ".")}
		if seen[d.Path+d.Message] {
			continue
		}
		seen[d.Path+d.Message] = true
		for _, p := range errors.Positions(e) {
			if !strings.HasPrefix(p.Filename(), builtin) {
				d.Pos = src.pos(p)
				break
			}
		}
		list = append(list, d)
	}
	return list
}
