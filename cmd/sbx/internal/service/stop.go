package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Stop stops sandboxes and keeps them.
type Stop struct {
	verb.HostFlags
	Names []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (Stop) Help() string {
	return `Stops the sandboxes, each in the way that its profile asks for. What was made for
them stays, and sbx up starts them again.

Example:
  sbx stop apache`
}

func (c *Stop) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	return verb.Each(c.Names, func(name string) error {
		ran, err := host.Stop(a.Ctx, name)
		switch {
		case err != nil:
			return err
		case ran:
			say.Fprintln(a.Stdout, name+": stopped")
		default:
			say.Fprintln(a.Stdout, name+": is stopped already")
		}
		return nil
	})
}

// Restart restarts the commands of sandboxes.
type Restart struct {
	verb.HostFlags
	Names []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (Restart) Help() string {
	return `Stops the command of each sandbox in the way that its profile asks for, starts it
again and waits until it is ready. The sandbox itself keeps running, unless another
file or folder stands by now at a path of the host that it sees: then all of it is
started anew, with that one.

Example:
  sbx restart apache`
}

func (c *Restart) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	return verb.Each(c.Names, func(name string) error {
		if err := host.Restart(a.Ctx, name); err != nil {
			return err
		}
		say.Fprintln(a.Stdout, name+": restarted")
		return nil
	})
}
