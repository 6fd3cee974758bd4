package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sbx-dev/sbx/runtime"
)

// psCmd lists sandboxes.
type psCmd struct {
	hostFlags
	JSON bool `help:"Print a JSON array."`
}

func (c *psCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	list, err := host.List()
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	return printSandboxes(a, list)
}

func printSandboxes(a *app, list []runtime.Sandbox) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tBACKEND\tSTATE\tADDRESS\tPROFILE")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Backend, s.State, orDash(strings.Join(s.Addresses, ",")), shortDigest(s.Profile))
	}
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// shortDigest is as much of a digest as a person compares.
func shortDigest(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return hex[:min(len(hex), 12)]
}
