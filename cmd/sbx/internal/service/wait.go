package service

import (
	"fmt"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Wait waits for the end of a sandbox's command.
type Wait struct {
	verb.HostFlags
	Name string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (Wait) Help() string {
	return `Waits until the sandbox's own command has ended for good, and ends as it did: with
its exit code, or 128 and the number of the signal that killed it; with 125 when
the sandbox ended some other way. A command that has ended already is told from
what was noted then, until the sandbox is started again or taken down.

Example:
  sbx wait apache || echo "apache ended with $?"`
}

func (c *Wait) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	return ending(host.Wait(a.Ctx, c.Name))
}

// ending is the exit code that the command's end gave.
func ending(last channel.Status, err error) error {
	switch {
	case err != nil:
		return verb.WithCode(verb.ExitSbx, err)
	case last.Exit == nil:
		return verb.WithCode(verb.ExitSbx, fmt.Errorf("the command never ran: %s", last.Message))
	case last.Exit.Status() != 0:
		return verb.ExitCode(last.Exit.Status())
	}
	return nil
}
