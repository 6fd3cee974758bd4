package load

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load/explain"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
)

// The Go structs and the CUE definitions have the same fields.
func TestStructsMatchTheSchema(t *testing.T) {
	defs := compileSchema(schema.Files())
	for name, v := range map[string]any{
		"#Profile": schema.Profile{}, "#Run": schema.Run{}, "#Ready": schema.Ready{}, "#HTTP": schema.HTTP{}, "#Stop": schema.Stop{}, "#Mount": schema.Mount{},
		"#Network": schema.Network{}, "#Subnet": schema.Subnet{}, "#Route": schema.Route{}, "#Rule": schema.Rule{}, "#Match": schema.Match{},
		"#Resources": schema.Resources{}, "#Users": schema.Users{}, "#Machine": schema.Machine{}, "#Syscalls": schema.Syscalls{}, "#Display": schema.Display{},
	} {
		var fields []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "-" && !f.Anonymous {
				fields = append(fields, tag)
			}
		}
		declared := explain.FieldNames(defs.LookupPath(cue.ParsePath(name)))
		slices.Sort(fields)
		slices.Sort(declared)
		if !slices.Equal(fields, declared) {
			t.Errorf("%s: the struct has %v and the definition %v", name, fields, declared)
		}
	}
}

// The bound of a list of rules is the same in Go.
func TestMaxRulesMatchesTheSchema(t *testing.T) {
	if _, most := explain.Bounds(compileSchema(schema.Files()).LookupPath(cue.MakePath(cue.Def("#Network"), cue.Str("allow").Optional()))); most != explain.MaxRules {
		t.Errorf("the schema takes %d rules, and the program %d", most, explain.MaxRules)
	}
}

// What the structs call a field's path is what CUE takes for one.
func TestPathsAreWrittenAsCueWritesThem(t *testing.T) {
	for _, name := range []string{"a", "A9", "é", "a_b", "$x", "#D", "#", "_", "_a", "_#D", "#_a", "", "9", "9a", "#9", "a-b", "a b", "a.b", "/run", "a#", "\n"} {
		want := strconv.Quote(name)
		if ast.IsValidIdent(name) && !strings.HasPrefix(name, "_") {
			want = name
		}
		if got := schema.Field("", name); got != want {
			t.Errorf("the field %q is written %s, want %s", name, got, want)
		}
	}
}
