package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Forward passes connections to published ports on. Only up starts it.
type Forward struct {
	Task string `arg:""`
}

func (c *Forward) Run(a *verb.App) error { return runtime.Forward(a.Ctx, c.Task) }
