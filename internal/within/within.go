// Package within says what lies in a folder.
package within

import "strings"

// Dir says whether path is dir or lies in it, by their names alone; both are absolute
// and clean.
func Dir(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
