package main

import (
	"errors"
	"fmt"
)

// downCmd takes sandboxes away.
type downCmd struct {
	hostFlags
	Names []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (downCmd) Help() string {
	return `Stops the sandboxes, each in the way that its profile asks for, and removes what
sbx made for them: domain, firewall, network, folders. The files that a sandbox
wrote to its writable mounts stay. A sandbox that is not there is no error.

Examples:
  sbx down apache
  sbx down web db`
}

func (c *downCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	var failed []error
	for _, name := range c.Names {
		found, err := host.Down(a.ctx, name)
		switch {
		case err != nil:
			failed = append(failed, err)
		case found:
			fmt.Fprintln(a.stdout, name+": down")
		default:
			fmt.Fprintln(a.stdout, name+": not there")
		}
	}
	return errors.Join(failed...)
}
