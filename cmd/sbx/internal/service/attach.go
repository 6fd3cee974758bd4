package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Attach shows a service's output as it comes.
type Attach struct {
	verb.HostFlags
	verb.RawFlag
	Name string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (Attach) Help() string {
	return `Passes on what the sandbox's service writes from now on, until it has ended for
good, and then ends as sbx wait does. Ctrl-C leaves the service alone.

On a terminal, what would give that orders is shown by number, and colours are
left out; --raw shows all as it is.

Example:
  sbx attach apache`
}

func (c *Attach) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	client, err := host.Attach(a.Ctx, c.Name)
	if err != nil {
		return watched(a, verb.WithCode(verb.ExitSbx, err))
	}
	defer client.Close()
	stdout, stderr := c.Writers(a)
	next, err := nextRecord(a, client)
	if err == nil {
		err = client.Output(a.Ctx, next, true, func(r channel.Record) error {
			w := stdout
			if r.Stream == 2 {
				w = stderr
			}
			_, err := w.Write(r.Data)
			return err
		})
	}
	if err != nil {
		return watched(a, verb.WithCode(verb.ExitSbx, err))
	}
	last, err := client.WaitEnd(a.Ctx)
	if err != nil { // it had nothing more to tell, and is gone
		last, err = host.Wait(a.Ctx, c.Name)
	}
	return watched(a, ending(last, err))
}

// nextRecord is the number that the service's next output will have.
func nextRecord(a *verb.App, client *channel.Client) (next uint64, err error) {
	err = client.Output(a.Ctx, 0, false, func(r channel.Record) error {
		next = r.Number + 1
		return nil
	})
	return next, err
}

// exitInterrupted is what watching ends with when Ctrl-C ends it, as a shell has it.
const exitInterrupted = 130

// watched is the end of a verb that only looks on: that the user has seen enough is
// no error of its own.
func watched(a *verb.App, err error) error {
	if err != nil && a.Ctx.Err() != nil {
		return verb.ExitCode(exitInterrupted)
	}
	return err
}
