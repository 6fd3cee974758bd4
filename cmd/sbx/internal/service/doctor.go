package service

import (
	"encoding/json"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/doctor"
	"github.com/sbx-dev/sbx/schema"
)

// Doctor checks the host.
type Doctor struct {
	verb.HostFlags
	Backend string `short:"b" enum:",lxc,kvm" default:"" placeholder:"lxc|kvm" help:"Check what this backend needs. (default: both)"`
	JSON    bool   `help:"Print a JSON array."`
}

// Help explains the exit code.
func (c *Doctor) Help() string {
	return `Each line is one thing that a backend needs, and what to do where it is missing.
Exits with 0 if nothing failed, else with 1.

Examples:
  sbx doctor
  sbx doctor --backend kvm`
}

func (c *Doctor) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	backends := runtime.Kinds()
	if c.Backend != "" {
		backends = []schema.Backend{schema.Backend(c.Backend)}
	}
	checks := doctor.Examine(a.Ctx, host, backends...)
	if err := c.print(a, checks); err != nil {
		return err
	}
	for _, check := range checks {
		if check.State == doctor.Fail {
			return verb.ExitCode(verb.ExitError)
		}
	}
	return nil
}

func (c *Doctor) print(a *verb.App, checks []doctor.Check) error {
	if c.JSON {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(checks)
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		say.Fprintf(w, "%s\t%s\t%s\t%s\n", check.State, check.Backend, check.Name, oneLine(check.Found))
		if check.State != doctor.OK && check.Mend != "" {
			say.Fprintf(w, "\t\t\t→ %s\n", check.Mend)
		}
	}
	return w.Flush()
}

// oneLine keeps a finding of several lines in its row.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
