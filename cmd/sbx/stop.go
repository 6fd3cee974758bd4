package main

import (
	"errors"
)

// stopCmd stops sandboxes and keeps them.
type stopCmd struct {
	hostFlags
	Names []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (stopCmd) Help() string {
	return `Stops the sandboxes, each in the way that its profile asks for. What was made for
them stays, and sbx up starts them again.

Example:
  sbx stop apache`
}

func (c *stopCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	var failed []error
	for _, name := range c.Names {
		ran, err := host.Stop(a.ctx, name)
		switch {
		case err != nil:
			failed = append(failed, err)
		case ran:
			sayln(a.stdout, name+": stopped")
		default:
			sayln(a.stdout, name+": is stopped already")
		}
	}
	return errors.Join(failed...)
}

// restartCmd restarts the commands of sandboxes.
type restartCmd struct {
	hostFlags
	Names []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (restartCmd) Help() string {
	return `Stops the command of each sandbox in the way that its profile asks for, starts it
again and waits until it is ready. The sandbox itself keeps running, unless another
file or folder stands by now at a path of the host that it sees: then all of it is
started anew, with that one.

Example:
  sbx restart apache`
}

func (c *restartCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	var failed []error
	for _, name := range c.Names {
		if err := host.Restart(a.ctx, name); err != nil {
			failed = append(failed, err)
			continue
		}
		sayln(a.stdout, name+": restarted")
	}
	return errors.Join(failed...)
}
