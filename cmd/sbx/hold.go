package main

import "github.com/sbx-dev/sbx/runtime"

// holdCmd is the process beside a machine that holds its channel. Only run starts
// it.
type holdCmd struct{}

func (holdCmd) Run(a *app) error { return runtime.Hold(a.ctx) }
