package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// waitCmd waits for the end of a sandbox's command.
type waitCmd struct {
	hostFlags
	Name string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (waitCmd) Help() string {
	return `Waits until the sandbox's own command has ended for good, and ends as it did: with
its exit code, or 128 and the number of the signal that killed it; with 125 when
the sandbox ended some other way.`
}

func (c *waitCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	client, err := host.Attach(a.ctx, c.Name)
	if err != nil {
		return &codedError{exitSbx, err}
	}
	defer client.Close()
	return ending(a.ctx, client)
}

// ending waits for the command's end and is the exit code that it gave.
func ending(ctx context.Context, client *channel.Client) error {
	var last channel.Status
	err := client.Watch(ctx, func(s channel.Status) bool {
		last = s
		return s.State != channel.Ended
	})
	switch {
	case err != nil:
		return &codedError{exitSbx, err}
	case last.State != channel.Ended:
		return &codedError{exitSbx, errors.New("the sandbox ended before its command did")}
	case last.Exit == nil:
		return &codedError{exitSbx, fmt.Errorf("the command never ran: %s", last.Message)}
	case last.Exit.Status() != 0:
		return exitCode(last.Exit.Status())
	}
	return nil
}
