// Package schema is the language of sbx: the CUE definition that every profile
// is checked against, and the Go structs that a profile decodes into, with their
// defaults and with the checks of what stands between their values. It evaluates
// no CUE: schema/load reads profiles.
package schema

import (
	"embed"
	"io/fs"
)

//go:embed *.cue
var files embed.FS

// ImportPath is what a profile imports the schema by.
const ImportPath = "github.com/sbx-dev/sbx/schema"

// ModulePath is the module that holds it.
const ModulePath = "github.com/sbx-dev/sbx"

// Files are the schema's CUE files, by name.
func Files() map[string][]byte {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // the files are part of the program
	}
	m := make(map[string][]byte, len(entries))
	for _, e := range entries {
		data, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		m[e.Name()] = data
	}
	return m
}
