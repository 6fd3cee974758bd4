package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Bounds of a list of rules.
const (
	maxRules = 5000 // as #Network.allow says

	// maxRulesInCUE is how many rules of a list CUE evaluates. Each takes it a
	// millisecond, and twenty where alternatives are open, so it is given only
	// those that conforms does not take: as many as a person mends at once.
	maxRulesInCUE = 32
)

// errManyRules says that so many rules are wrong that CUE is not asked about all.
var errManyRules = errors.New("too many rules are wrong")

// withoutRules takes the rules that conform out of a profile's data, which need
// not be held against the schema any more.
func withoutRules(data []byte) ([]byte, error) {
	value, err := decodeAny(data)
	if err != nil {
		return nil, err
	}
	profile, _ := value.(map[string]any)
	taken := false
	for _, n := range interfaces(profile) {
		rules, ok := n["allow"].([]any)
		if !ok || len(rules) > maxRules {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(rules), conforms)
		if len(rest) > maxRulesInCUE {
			return nil, errManyRules
		}
		n["allow"], taken = rest, taken || len(rest) < len(rules)
	}
	if !taken {
		return data, nil
	}
	return json.Marshal(value)
}

// decodeAny reads JSON, whose numbers stay as they are written.
func decodeAny(data []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// interfaces are those of a profile's data.
func interfaces(profile map[string]any) (list []map[string]any) {
	networks, _ := profile["networks"].(map[string]any)
	for _, n := range append(slices.Collect(maps.Values(networks)), profile["network"]) {
		if n, ok := n.(map[string]any); ok {
			list = append(list, n)
		}
	}
	return list
}

// manyRules reports whether an interface of a profile has more rules than CUE is
// to evaluate.
func manyRules(profile cue.Value) bool {
	if len(elements(profile.LookupPath(cue.ParsePath("network.allow")))) > maxRulesInCUE {
		return true
	}
	it, err := profile.LookupPath(cue.ParsePath("networks")).Fields()
	for err == nil && it.Next() {
		if len(elements(it.Value().LookupPath(cue.ParsePath("allow")))) > maxRulesInCUE {
			return true
		}
	}
	return false
}

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
		if text, err := e.MarshalJSON(); err == nil {
			if rule, err := decodeAny(text); err == nil && conforms(rule) {
				data[i] = rule
				continue
			}
		}
		if wrong++; wrong <= maxRulesInCUE {
			data[i], _ = w.value(schema.Elem(path, i), def, e)
		}
	}
	if more := wrong - maxRulesInCUE; more > 0 {
		w.report(diag.TooMany, path, w.src.Pos(path), fmt.Sprintf("%d more rules are wrong", more), "mend those first that are shown")
	}
	return data
}
