package service

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Guard is the process that watches the inner walls of a host's sandboxes. Only up starts
// it.
type Guard struct {
	Folder string `arg:""`
}

func (c *Guard) Run(a *verb.App) error {
	// Whom a signal ends, and not the last wall's end, systemd lets have a successor: by
	// its exit code it would seem to have done its work.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	return runtime.Guard(a.Ctx, c.Folder)
}
