package service

import (
	"errors"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Down takes sandboxes away.
type Down struct {
	verb.HostFlags
	Names []string `arg:"" optional:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
	All   bool     `help:"Take away all of them, runs of sbx run included, and what is left of lost ones."`
}

func (Down) Help() string {
	return `Stops the sandboxes, each in the way that its profile asks for, and removes what
sbx made for them: domain, firewall, network, folders. The files that a sandbox
wrote to its writable mounts stay. A sandbox that is not there is no error. Of
several, those that started after others go before them, and the rest a few at a
time.

Examples:
  sbx down apache
  sbx down web db
  sbx down --all`
}

func (c *Down) Run(a *verb.App) error {
	if c.All == (len(c.Names) > 0) {
		return errors.New("name the sandboxes to take away, or say --all")
	}
	host := c.Open(a)
	defer host.Close()
	if c.All {
		return host.DownAll(a.Ctx, func(name string, err error) {
			if err == nil {
				say.Fprintln(a.Stdout, name+": down")
			}
		})
	}
	return host.DownEach(a.Ctx, c.Names, func(name string, found bool, err error) {
		switch {
		case err != nil: // told at the end
		case found:
			say.Fprintln(a.Stdout, name+": down")
		default:
			say.Fprintln(a.Stdout, name+": not there")
		}
	})
}
