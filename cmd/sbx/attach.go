package main

import (
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// attachCmd shows a service's output as it comes.
type attachCmd struct {
	hostFlags
	rawFlag
	Name string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (attachCmd) Help() string {
	return `Passes on what the sandbox's service writes from now on, until it has ended for
good, and then ends as sbx wait does. Ctrl-C leaves the service alone.

On a terminal, what would give that orders is shown by number, and colours are
left out; --raw shows all as it is.

Example:
  sbx attach apache`
}

func (c *attachCmd) Run(a *app) error {
	host := c.open(a)
	defer host.Close()
	client, err := host.Attach(a.ctx, c.Name)
	if err != nil {
		return watched(a, withCode(exitSbx, err))
	}
	defer client.Close()
	stdout, stderr := c.writers(a)
	next, err := nextRecord(a, client)
	if err == nil {
		err = client.Output(a.ctx, next, true, func(r channel.Record) error {
			w := stdout
			if r.Stream == 2 {
				w = stderr
			}
			_, err := w.Write(r.Data)
			return err
		})
	}
	if err != nil {
		return watched(a, withCode(exitSbx, err))
	}
	last, err := client.WaitEnd(a.ctx)
	if err != nil { // it had nothing more to tell, and is gone
		last, err = host.Wait(a.ctx, c.Name)
	}
	return watched(a, ending(last, err))
}

// nextRecord is the number that the service's next output will have.
func nextRecord(a *app, client *channel.Client) (next uint64, err error) {
	err = client.Output(a.ctx, 0, false, func(r channel.Record) error {
		next = r.Number + 1
		return nil
	})
	return next, err
}

// exitInterrupted is what watching ends with when Ctrl-C ends it, as a shell has it.
const exitInterrupted = 130

// watched is the end of a verb that only looks on: that the user has seen enough is
// no error of its own.
func watched(a *app, err error) error {
	if err != nil && a.ctx.Err() != nil {
		return exitCode(exitInterrupted)
	}
	return err
}
