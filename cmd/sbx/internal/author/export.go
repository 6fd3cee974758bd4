package author

import (
	"encoding/json"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// Export prints a profile as sbx understands it.
type Export struct {
	Profile string `arg:"" help:"A profile: a file, a folder with one, a name, or - for standard input."`
	verb.ProfileFlags
	Format string `enum:"json,yaml,cue" default:"json" help:"json, yaml or cue."`
	Origin bool   `help:"List each value with the place that it comes from."`
}

func (Export) Help() string {
	return `Prints a profile with all defaults filled in.

Examples:
  sbx export apache --format yaml
  sbx export apache --origin           # where each value comes from`
}

func (c *Export) Run(a *verb.App) error {
	p, err := c.LoadOne(a, c.Profile)
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
	_, err = a.Stdout.Write(data)
	return err
}

// origin is where one value of a profile comes from.
type origin struct {
	Path    string    `json:"path"`
	Value   any       `json:"value"`
	Pos     *diag.Pos `json:"pos,omitempty"`
	Default bool      `json:"default,omitempty"`
}

func (c *Export) origins(a *verb.App, p *schema.Profile) error {
	values, err := p.Values()
	if err != nil {
		return err
	}
	list := make([]origin, len(values))
	for i, v := range values {
		list[i] = origin{Path: v.Path, Value: v.Value, Default: true}
		if pos, ok := p.Source.Origin(v.Path); ok {
			pos = verb.PlaceHere(pos)
			list[i].Pos, list[i].Default = &pos, false
		}
	}
	if c.Format == "json" {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)
	say.Row(w, "PATH", "VALUE", "ORIGIN")
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
		say.Fprintf(w, "%s\t%s\t%s\n", o.Path, value, place)
	}
	return w.Flush()
}
