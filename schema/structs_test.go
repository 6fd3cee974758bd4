package schema

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
)

// The Go structs and the CUE definitions have the same fields.
func TestStructsMatchTheSchema(t *testing.T) {
	defs := compileSchema(Files())
	for name, v := range map[string]any{
		"#Profile": Profile{}, "#Run": Run{}, "#Ready": Ready{}, "#HTTP": HTTP{}, "#Stop": Stop{}, "#Mount": Mount{},
		"#Network": Network{}, "#Subnet": Subnet{}, "#Route": Route{}, "#Rule": Rule{}, "#Match": Match{},
		"#Resources": Resources{}, "#Users": Users{}, "#Machine": Machine{},
	} {
		var fields []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "-" && !f.Anonymous {
				fields = append(fields, tag)
			}
		}
		declared := fieldNames(defs.LookupPath(cue.ParsePath(name)))
		slices.Sort(fields)
		slices.Sort(declared)
		if !slices.Equal(fields, declared) {
			t.Errorf("%s: the struct has %v and the definition %v", name, fields, declared)
		}
	}
}

// The bound of a list of rules is the same in Go.
func TestMaxRulesMatchesTheSchema(t *testing.T) {
	if _, most := bounds(compileSchema(Files()).LookupPath(cue.MakePath(cue.Def("#Network"), cue.Str("allow").Optional()))); most != maxRules {
		t.Errorf("the schema takes %d rules, and the program %d", most, maxRules)
	}
}
