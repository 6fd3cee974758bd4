package service

import (
	"encoding/json"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Drift finds what was changed behind sbx's back.
type Drift struct {
	verb.ProfileFlags
	verb.HostFlags
	Profiles []string `arg:"" optional:"" name:"profile" help:"Profiles, so that what differs is shown field by field; without any, all sandboxes are looked at."`
	JSON     bool     `help:"Print a JSON array."`
}

func (Drift) Help() string {
	return `Compares each sandbox with what sbx left behind when it last applied it, and says
what has been changed since, and since when as far as libvirt and the file system
know. It changes nothing; sbx apply puts it right.

It ends with 0 when nothing has been changed, with 2 when something has, and with
1 when it cannot tell.

Examples:
  sbx drift
  sbx drift profiles/    # with both values of each field`
}

func (c *Drift) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	var bundles []*compiler.Bundle
	if len(c.Profiles) > 0 {
		profiles, err := c.Load(a, c.Profiles...)
		if err != nil {
			return err
		}
		if bundles, err = c.Compile(a, profiles, host); err != nil {
			return err
		}
	}
	found, err := host.Drift(bundles)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(found); err != nil {
			return err
		}
	} else {
		printDrift(a, found)
	}
	if len(found) > 0 {
		return verb.ExitCode(verb.ExitChanges)
	}
	return nil
}

func printDrift(a *verb.App, found []plan.Change) {
	if len(found) == 0 {
		say.Fprintln(a.Stdout, "nothing has been changed by hand")
		return
	}
	for _, c := range found {
		say.Fprintf(a.Stdout, "%s: %s\n", c.Sandbox, strings.TrimSpace(c.Object+" "+c.Field))
		say.Fprintf(a.Stdout, "    %s\n", shorten(c.Values()))
		say.Fprintf(a.Stdout, "    %s\n", c.Since)
	}
}
