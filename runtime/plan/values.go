package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Values compares two JSON values, as package json decodes them into any. The
// elements of a list of objects are compared one by one, any other list as a
// whole.
func Values(desired, live any) []Difference {
	var list []Difference
	values(&list, "", desired, live)
	return list
}

func values(list *[]Difference, field string, want, have any) {
	if reflect.DeepEqual(want, have) {
		return
	}
	w, h := members(want), members(have)
	if w == nil || h == nil {
		*list = append(*list, Difference{Field: field, Live: show(have), Desired: show(want)})
		return
	}
	for _, name := range union(w, h) {
		values(list, join(field, name), w[name], h[name])
	}
}

// members are an object's values by name, or a list's objects by their path,
// target or name, or else by their place; nil for any other value.
func members(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return v
	case []any:
		named := map[string]any{}
		for i, e := range v {
			object, ok := e.(map[string]any)
			if !ok {
				return nil
			}
			named[memberName(object, i)] = e
		}
		return named
	}
	return nil
}

func memberName(object map[string]any, place int) string {
	for _, key := range []string{"path", "target", "name"} {
		if name, ok := object[key].(string); ok {
			return "[" + name + "]"
		}
	}
	return fmt.Sprintf("[%d]", place)
}

// maxShown bounds what is shown of a value, such as a file's content, in bytes.
const maxShown = 200

func show(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d bytes)", text[:maxShown], len(text))
	}
	return string(text)
}
