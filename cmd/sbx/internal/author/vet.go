// Package author holds the verbs of those who write profiles and review them.
package author

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// Vet checks profiles.
type Vet struct {
	Paths []string `arg:"" optional:"" name:"profile" default:"." help:"Profiles: files, folders, DIR/... for all below a folder, names, or - for standard input."`
	verb.ProfileFlags
	Format string `enum:"text,json,sarif,github" default:"text" help:"How to print what is wrong: text, json, sarif or github."`
	Tags   bool   `help:"List the tags of the profiles instead."`
}

func (Vet) Help() string {
	return `Checks profiles: their text, every value, how the values stand to each other,
and whether the backend can do what they ask for. All mistakes are reported in
one run; "sbx help CODE" explains each.

Examples:
  sbx vet                              # the profiles of this folder
  sbx vet ./... --policy rules         # all below it, and by these rules
  sbx vet --format sarif ./profiles/... >sbx.sarif
  sbx vet --tags web.cue`
}

func (c *Vet) Run(a *verb.App) error {
	if c.Tags {
		return c.printTags(a)
	}
	found, err := c.Load(a, c.Paths...)
	list, ok := diag.From(err)
	if err != nil && !ok {
		return err
	}
	lowered, err := c.lower(a, found)
	if err != nil {
		return err
	}
	list = append(list, lowered...).Sorted()
	if err := printList(a.Stdout, a.Stderr, verb.Here(list), c.Format); err != nil {
		return err
	}
	if list.Err() != nil {
		return verb.ExitCode(verb.ExitError)
	}
	if c.Format == "text" {
		say.Fprintf(a.Stdout, "ok: %s\n", plural(len(found), "profile"))
	}
	return nil
}

// lower compiles profiles for what only that finds: what a backend cannot do, rules
// that change nothing, and what two of them cannot both have.
func (c *Vet) lower(a *verb.App, profiles []*schema.Profile) (list diag.List, err error) {
	list = append(compiler.Together(profiles), compiler.Unmet(profiles, verb.Beside)...)
	peers, err := c.Peers(a, profiles, nil)
	if wrong, ok := diag.From(err); ok && err != nil {
		return append(list, wrong...), nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range profiles {
		b, err := compiler.Compile(p, compiler.Options{Peers: peers})
		if err == nil {
			list = append(list, b.Warnings...)
			continue
		}
		wrong, ok := diag.From(err)
		if !ok {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		list = append(list, wrong...)
	}
	return list, nil
}

// printList writes diagnostics: as text to stderr, as data to stdout.
func printList(stdout, stderr io.Writer, list diag.List, format string) error {
	switch format {
	case "json":
		return diag.JSON(stdout, list)
	case "sarif":
		return diag.SARIF(stdout, list, verb.Version())
	case "github":
		return diag.GitHub(stdout, list)
	}
	return diag.Text(stderr, list, diag.Style{Color: say.Colorful(stderr)})
}

func (c *Vet) printTags(a *verb.App) error {
	tags := []load.Tag{}
	for _, arg := range c.Paths {
		config, path := c.Config(a, arg)
		more, err := config.TagsOf(path)
		if err != nil {
			return err
		}
		tags = append(tags, more...)
	}
	switch c.Format {
	case "json":
		e := json.NewEncoder(a.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(tags)
	case "text":
	default:
		return errors.New("tags are listed as text or json")
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 8, 2, ' ', 0)
	say.Row(w, "TAG", "TYPE", "VALUES", "FIELD", "PLACE")
	for _, t := range tags {
		say.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Key, t.Type, strings.Join(t.Values, "|"), t.Field, t.Pos)
	}
	return w.Flush()
}

// plural is "1 thing" or "2 things".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
