package service

import (
	"errors"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Reload has services read their configuration anew.
type Reload struct {
	verb.HostFlags
	Optional bool     `help:"Pass over the sandboxes whose profiles do not say how."`
	Names    []string `arg:"" name:"name" help:"The sandboxes' names, as sbx ps lists them."`
}

func (Reload) Help() string {
	return `Asks each sandbox's service to read its configuration anew, in the way that its
profile says by run.reload: a signal, or a command. Then it waits until the
service answers its readiness probe again, or says by sd_notify that it has
done so. A reload that fails says why: the command's exit code and what it
wrote last, or that the service ended by it.

What the profile itself says now is applied by sbx up.

Example:
  sbx reload apache`
}

func (c *Reload) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	return verb.Each(c.Names, func(name string) error {
		err := host.Reload(a.Ctx, name)
		var failure *channel.Failure
		switch {
		case err == nil:
			say.Fprintf(a.Stdout, "%s: reloaded\n", name)
		case c.Optional && errors.As(err, &failure) && failure.Reason == channel.ReasonUnsupported:
			return nil
		}
		return err
	})
}
