package schema

import (
	"strconv"
	"strings"
	"unicode"
)

// Field is the path of a field below path, as CUE writes it.
func Field(path, name string) string {
	if !isIdent(name) {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// Elem is the path of an element of the list at path.
func Elem(path string, index int) string { return path + "[" + strconv.Itoa(index) + "]" }

// isIdent says whether CUE takes a field's name without quotes, and as one that
// is not hidden.
func isIdent(name string) bool {
	for i, r := range strings.TrimPrefix(name, "#") {
		if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return name != "" && name[0] != '_'
}

// Enclosing is the path without its last step.
func Enclosing(path string) string {
	if strings.HasSuffix(path, `"`) {
		for i := len(path) - 2; i >= 0; i-- {
			if path[i] == '"' && (i == 0 || path[i-1] != '\\') {
				return strings.TrimSuffix(path[:i], ".")
			}
		}
	}
	i := strings.LastIndexAny(path, ".[")
	return path[:max(i, 0)]
}

// FieldOf is the path of the field that a list's element belongs to.
func FieldOf(at string) string {
	for at != "" && at[len(at)-1] == ']' {
		at = Enclosing(at)
	}
	return at
}
