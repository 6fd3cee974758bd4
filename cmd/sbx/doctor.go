package main

import (
	"encoding/json"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/doctor"
	"github.com/sbx-dev/sbx/schema"
)

// doctorCmd checks the host.
type doctorCmd struct {
	hostFlags
	Backend string `short:"b" enum:",lxc,kvm" default:"" placeholder:"lxc|kvm" help:"Check what this backend needs. (default: both)"`
	JSON    bool   `help:"Print a JSON array."`
}

// Help explains the exit code.
func (c *doctorCmd) Help() string {
	return `Each line is one thing that a backend needs, and what to do where it is missing.
Exits with 0 if nothing failed, else with 1.

Examples:
  sbx doctor
  sbx doctor --backend kvm`
}

func (c *doctorCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	backends := runtime.Kinds()
	if c.Backend != "" {
		backends = []schema.Backend{schema.Backend(c.Backend)}
	}
	checks := doctor.Examine(a.ctx, host, backends...)
	if err := c.print(a, checks); err != nil {
		return err
	}
	for _, check := range checks {
		if check.State == doctor.Fail {
			return exitCode(exitError)
		}
	}
	return nil
}

func (c *doctorCmd) print(a *app, checks []doctor.Check) error {
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(checks)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, check := range checks {
		sayf(w, "%s\t%s\t%s\t%s\n", check.State, check.Backend, check.Name, oneLine(check.Found))
		if check.State != doctor.OK && check.Mend != "" {
			sayf(w, "\t\t\t→ %s\n", check.Mend)
		}
	}
	return w.Flush()
}

// oneLine keeps a finding of several lines in its row.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
