package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Guard is the process that watches the inner walls of a host's sandboxes. Only up starts
// it.
type Guard struct {
	Folder string `arg:""`
}

func (c *Guard) Run(a *verb.App) error { return runtime.Guard(a.Ctx, c.Folder) }
