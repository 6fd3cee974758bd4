package main

import "github.com/sbx-dev/sbx/runtime"

// holdCmd is the process beside a machine that holds its channel. Only run starts
// it.
type holdCmd struct {
	Name string `arg:""`
}

func (c *holdCmd) Run(a *app) error { return runtime.Hold(a.ctx, c.Name) }
