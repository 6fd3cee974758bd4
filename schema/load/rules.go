package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"cuelang.org/go/cue"

	"github.com/sbx-dev/sbx/schema/load/explain"
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
		if !ok || len(rules) > explain.MaxRules {
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(rules), conforms)
		if len(rest) > explain.MaxRulesInCUE {
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

// takes gives a rule's data when nothing is wrong with it.
func takes(rule cue.Value) (data any, ok bool) {
	text, err := rule.MarshalJSON()
	if err != nil {
		return nil, false
	}
	data, err = decodeAny(text)
	return data, err == nil && conforms(data)
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
	if len(explain.Elements(profile.LookupPath(cue.ParsePath("network.allow")))) > explain.MaxRulesInCUE {
		return true
	}
	it, err := profile.LookupPath(cue.ParsePath("networks")).Fields()
	for err == nil && it.Next() {
		if len(explain.Elements(it.Value().LookupPath(cue.ParsePath("allow")))) > explain.MaxRulesInCUE {
			return true
		}
	}
	return false
}
