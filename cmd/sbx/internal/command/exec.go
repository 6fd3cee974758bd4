package command

import (
	"context"
	"errors"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Exec runs a command in a sandbox that runs.
type Exec struct {
	verb.HostFlags
	sessionFlags
	User    string   `short:"u" placeholder:"USER[:GROUP]" help:"Run it as this user of the sandbox, in / unless -w is given. (default: the profile's)"`
	Workdir string   `short:"w" placeholder:"DIR" help:"Start it in this folder. (default: the profile's)"`
	Env     []string `short:"e" sep:"none" placeholder:"NAME[=VALUE]" help:"Set a variable; without a value, as it is here."`
	Name    string   `arg:"" help:"The sandbox, as sbx ps lists it."`
	Command []string `arg:"" optional:"" passthrough:"partial" help:"The command. All that follows is its own; \"--\" before it may be left out."`
}

func (Exec) Help() string {
	return `Runs a command beside the sandbox's own, behind the same walls, with its standard
streams connected to these. Any number may run at once.

` + streamsHelp + `

` + sessionCodes + `

Examples:
  sbx exec apache -- id
  sbx exec -it apache /bin/bash
  sbx exec -u www-data apache -- cat /var/log/apache2/error.log`
}

func (c *Exec) Run(a *verb.App) error {
	argv := a.CommandLine(c.Command)
	if len(argv) == 0 {
		return verb.WithCode(verb.ExitSbx, errors.New(`no command is given: sbx exec NAME -- COMMAND`))
	}
	if c.User != "" && c.Workdir == "" {
		c.Workdir = "/" // the profile's may be closed to another user
	}
	return session(a, c.sessionFlags, func(ctx context.Context, t *terminal) (channel.Exit, error) {
		host := c.Open(a)
		defer host.Close()
		client, err := host.Attach(ctx, c.Name)
		if err != nil {
			return channel.Exit{}, err
		}
		defer client.Close()
		return client.Exec(ctx, channel.Command{
			Argv:    argv,
			Env:     append(t.env(), hostEnv(c.Env)...),
			Workdir: c.Workdir,
			User:    c.User,
			TTY:     t.size,
		}, t.stdio)
	})
}
