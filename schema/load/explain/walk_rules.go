package explain

import (
	"fmt"

	"cuelang.org/go/cue"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Bounds of a list of rules.
const (
	MaxRules = 5000 // as #Network.allow says

	// MaxRulesInCUE is how many rules of a list CUE evaluates. Each takes it a
	// millisecond, and twenty where alternatives are open, so it is given only
	// those that conforms does not take: as many as a person mends at once.
	MaxRulesInCUE = 32
)

// isRuleList reports whether the list at a path holds an interface's rules.
func isRuleList(path string) bool {
	at := schema.Enclosing(path)
	return path == schema.Field(at, "allow") && (at == "network" || schema.Enclosing(at) == "networks")
}

// rules checks the elements of a list of rules.
func (w *walker) rules(path string, elems []cue.Value) []any {
	def := w.defs.LookupPath(cue.MakePath(cue.Def("#Rule")))
	data := make([]any, len(elems))
	wrong := 0
	for i, e := range elems {
		if rule, ok := w.takes(e); ok {
			data[i] = rule
			continue
		}
		if wrong++; wrong <= MaxRulesInCUE {
			data[i], _ = w.value(schema.Elem(path, i), def, e)
		}
	}
	if more := wrong - MaxRulesInCUE; more > 0 {
		w.report(diag.TooMany, path, w.src.Pos(path), fmt.Sprintf("%d more rules are wrong", more), "mend those first that are shown")
	}
	return data
}
