package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Hold is the process beside a machine that holds its channel. Only run starts
// it.
type Hold struct {
	Name string `arg:""`
}

func (c *Hold) Run(a *verb.App) error { return runtime.Hold(a.Ctx, c.Name) }
