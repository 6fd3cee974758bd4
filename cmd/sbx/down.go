package main

import (
	"errors"
)

// downCmd takes sandboxes away.
type downCmd struct {
	hostFlags
	Names []string `arg:"" optional:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
	All   bool     `help:"Take away all of them, runs of sbx run included, and what is left of lost ones."`
}

func (downCmd) Help() string {
	return `Stops the sandboxes, each in the way that its profile asks for, and removes what
sbx made for them: domain, firewall, network, folders. The files that a sandbox
wrote to its writable mounts stay. A sandbox that is not there is no error.

Examples:
  sbx down apache
  sbx down web db
  sbx down --all`
}

func (c *downCmd) Run(a *app) error {
	if c.All == (len(c.Names) > 0) {
		return errors.New("name the sandboxes to take away, or say --all")
	}
	host := c.open(a)
	defer host.Close()
	if c.All {
		return host.DownAll(a.ctx, func(name string, err error) {
			if err == nil {
				sayln(a.stdout, name+": down")
			}
		})
	}
	var failed []error
	for _, name := range c.Names {
		found, err := host.Down(a.ctx, name)
		switch {
		case err != nil:
			failed = append(failed, err)
		case found:
			sayln(a.stdout, name+": down")
		default:
			sayln(a.stdout, name+": not there")
		}
	}
	return errors.Join(failed...)
}
