package main

import "github.com/sbx-dev/sbx/internal/forward"

// forwardCmd passes connections to published ports on. Only up starts it.
type forwardCmd struct {
	Task string `arg:""`
}

func (c *forwardCmd) Run(a *app) error { return forward.Main(a.ctx, c.Task) }
