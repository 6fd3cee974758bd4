package service

import (
	"encoding/json"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Inspect shows one sandbox.
type Inspect struct {
	verb.HostFlags
	Name string `arg:"" help:"The sandbox's name, as sbx ps lists it."`
}

func (Inspect) Help() string {
	return `Prints all that is known of a sandbox as JSON: state, use of the host, interfaces
with the filter that each is behind, mounts, ids, command.

Example:
  sbx inspect apache | jq '.interfaces[].bound'`
}

func (c *Inspect) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	found, err := host.Inspect(a.Ctx, c.Name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(found)
}
