package main

import "encoding/json"

// inspectCmd shows one sandbox.
type inspectCmd struct {
	hostFlags
	Name string `arg:"" help:"The sandbox's name, as sbx ps lists it."`
}

func (inspectCmd) Help() string {
	return `Prints all that is known of a sandbox as JSON: state, use of the host, interfaces
with the filter that each is behind, mounts, ids, command.

Example:
  sbx inspect apache | jq '.interfaces[].bound'`
}

func (c *inspectCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	found, err := host.Inspect(a.ctx, c.Name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(found)
}
