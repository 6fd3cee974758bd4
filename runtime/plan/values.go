package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
)

// Values compares two JSON values, as package json decodes them into any. Lists
// of objects are compared object by object; of other lists each value that only
// one of them has is a difference.
func Values(desired, live any) []Difference {
	var list []Difference
	values(&list, "", desired, live)
	return list
}

func values(list *[]Difference, field string, want, have any) {
	if reflect.DeepEqual(want, have) {
		return
	}
	if wanted, there := scalars(want), scalars(have); wanted != nil && there != nil {
		for _, e := range edits(plainLines(there), plainLines(wanted)) {
			*list = append(*list, e.difference(field))
		}
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

// scalars are the values of a list that holds no objects and no lists; nil for
// anything else.
func scalars(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return nil
	}
	values := make([]string, 0, len(list))
	for _, e := range list {
		switch e.(type) {
		case map[string]any, []any:
			return nil
		}
		values = append(values, encode(e))
	}
	return values
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
	return clip(encode(v))
}

func clip(text string) string {
	if len(text) > maxShown {
		return fmt.Sprintf("%s… (%d bytes, %s)", text[:maxShown], len(text), compiler.Digest([]byte(text)))
	}
	return text
}

func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}
