package main

import (
	"context"
	"errors"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// execCmd runs a command in a sandbox that runs.
type execCmd struct {
	hostFlags
	TTY     bool          `short:"t" name:"tty" help:"Give the command a terminal."`
	User    string        `short:"u" placeholder:"USER[:GROUP]" help:"Run it as this user of the sandbox, in / unless -w is given. (default: the profile's)"`
	Workdir string        `short:"w" placeholder:"DIR" help:"Start it in this folder. (default: the profile's)"`
	Env     []string      `short:"e" sep:"none" placeholder:"NAME[=VALUE]" help:"Set a variable; without a value, as it is here."`
	Timeout time.Duration `placeholder:"TIME" help:"End the command after this time: 90s, 5m."`
	Name    string        `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (execCmd) Help() string {
	return `Runs the command that stands after "--" beside the sandbox's own, behind the
same walls, with its standard streams connected to these. Any number may run at
once.

` + sessionCodes + `

Examples:
  sbx exec apache -- id
  sbx exec -t apache -- /bin/bash
  sbx exec -u www-data apache -- cat /var/log/apache2/error.log`
}

func (c *execCmd) Run(a *app) error {
	if len(a.command) == 0 {
		return &codedError{exitSbx, errors.New(`no command is given: sbx exec NAME -- COMMAND`)}
	}
	if c.User != "" && c.Workdir == "" {
		c.Workdir = "/" // the profile's may be closed to another user
	}
	return session(a, c.TTY, c.Timeout, func(ctx context.Context, t *terminal) (channel.Exit, error) {
		host := c.open(a)
		defer host.Close()
		client, err := host.Attach(ctx, c.Name)
		if err != nil {
			return channel.Exit{}, err
		}
		defer client.Close()
		return client.Exec(ctx, channel.Command{
			Argv:    a.command,
			Env:     append(t.env(), hostEnv(c.Env)...),
			Workdir: c.Workdir,
			User:    c.User,
			TTY:     t.size,
		}, t.stdio)
	})
}
