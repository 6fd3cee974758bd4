package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Job is one run of a sandbox that has a schedule. Only sbx-job@NAME.service starts it.
type Job struct {
	verb.HostFlags
	Name string `arg:"" help:"The job: the sandbox of a profile with every, after sbx up."`
}

func (c *Job) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	last, err := host.RunJob(a.Ctx, c.Name)
	if err == nil {
		say.Fprintf(a.Stdout, "%s: done\n", c.Name)
		return nil
	}
	if last.Exit != nil && last.Exit.Status() != 0 {
		return verb.WithCode(last.Exit.Status(), err)
	}
	return err
}
