package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// Keep is the process beside a sandbox that keeps its log. Only up starts it.
type Keep struct {
	verb.HostFlags
	Name string `arg:""`
}

func (c *Keep) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	return host.Keep(a.Ctx, c.Name)
}
