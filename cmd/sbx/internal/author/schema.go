package author

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
	"github.com/sbx-dev/sbx/schema/reference"
)

// Schema prints the schema of profiles.
type Schema struct {
	Format string `enum:"cue,jsonschema,markdown" default:"cue" help:"As its CUE files (cue), as one JSON Schema (jsonschema), or as a page about every field (markdown)."`
}

func (Schema) Help() string {
	return `Prints the schema that profiles are checked against. The JSON Schema is for
editors that know YAML or JSON but not CUE; it cannot say all that CUE can. The
page tells of each field its type, default, backends and an example; "sbx help
network.allow" shows one field.

Examples:
  sbx schema
  sbx schema --format jsonschema >profile.schema.json`
}

func (c *Schema) Run(a *verb.App) error {
	switch c.Format {
	case "jsonschema":
		data, err := load.JSONSchema()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.Stdout, "%s\n", data)
		return err
	case "markdown":
		page, err := reference.Markdown()
		if err != nil {
			return err
		}
		_, err = a.Stdout.Write(page)
		return err
	}
	archive := new(txtar.Archive)
	files := schema.Files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		archive.Files = append(archive.Files, txtar.File{Name: name, Data: files[name]})
	}
	_, err := a.Stdout.Write(txtar.Format(archive))
	return err
}
