package runtime

import (
	"context"

	"github.com/sbx-dev/sbx/internal/forward"
	"github.com/sbx-dev/sbx/internal/tether"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
)

// Forward passes connections to a sandbox's published ports on until the sandbox ends
// or ctx does. The process that Options.Forwarder starts calls it, with task as its
// last argument.
func Forward(ctx context.Context, task string) error { return forward.Main(ctx, task) }

// Tether waits until the process that started it has ended, and ends the machine that
// was that one's. The process that Options.Tether starts calls it.
func Tether() error { return tether.Main() }

// Keep is the keeper of the named sandbox, which ends with the sandbox. The process that
// Options.Keeper starts calls it.
func (r *Runtime) Keep(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return keep.Main(ctx, name, r.untilAnswer)
}

// Hold is a holder of the named sandbox's channel, until the sandbox has ended or
// whoever started this process has left. The process that Options.Holder starts calls it.
func Hold(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return keep.HoldMain(ctx, name)
}
