package main

import (
	"encoding/json"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// exportCmd prints a profile as sbx understands it.
type exportCmd struct {
	Profile string `arg:"" help:"A profile: a file, a folder with one, a name, or - for standard input."`
	profileFlags
	Format string `enum:"json,yaml,cue" default:"json" help:"json, yaml or cue."`
	Origin bool   `help:"List each value with the place that it comes from."`
}

func (exportCmd) Help() string {
	return `Prints a profile with all defaults filled in.

Examples:
  sbx export apache --format yaml
  sbx export apache --origin           # where each value comes from`
}

func (c *exportCmd) Run(a *app) error {
	p, err := c.loadOne(a, c.Profile)
	if err != nil {
		return err
	}
	if c.Origin {
		return c.origins(a, p)
	}
	data, err := load.Export(p, c.Format)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(data)
	return err
}

// origin is where one value of a profile comes from.
type origin struct {
	Path    string    `json:"path"`
	Value   any       `json:"value"`
	Pos     *diag.Pos `json:"pos,omitempty"`
	Default bool      `json:"default,omitempty"`
}

func (c *exportCmd) origins(a *app, p *schema.Profile) error {
	values, err := p.Values()
	if err != nil {
		return err
	}
	list := make([]origin, len(values))
	for i, v := range values {
		list[i] = origin{Path: v.Path, Value: v.Value, Default: true}
		if pos, ok := p.Source.Origin(v.Path); ok {
			pos = here(diag.List{{Pos: pos}})[0].Pos
			list[i].Pos, list[i].Default = &pos, false
		}
	}
	if c.Format == "json" {
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	sayRow(w, "PATH", "VALUE", "ORIGIN")
	for _, o := range list {
		place := "default"
		if o.Pos != nil {
			place = o.Pos.String()
			if strings.HasPrefix(place, "sbx:") {
				place = "a base of the schema"
			}
		}
		value, err := json.Marshal(o.Value)
		if err != nil {
			return err
		}
		sayf(w, "%s\t%s\t%s\n", o.Path, value, place)
	}
	return w.Flush()
}
