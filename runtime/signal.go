package runtime

import (
	"context"
	"fmt"
	"syscall"
)

// Signal sends a signal to the first process of the sandbox's command, whatever that
// makes of it. Where the command ends by it, its restart policy says what follows.
func (r *Runtime) Signal(ctx context.Context, name string, signal syscall.Signal) error {
	client, err := r.Attach(ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Signal(ctx, signal); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Reload has the sandbox's service read its configuration anew, in the way that its
// profile says by run.reload, and waits until it answers again.
func (r *Runtime) Reload(ctx context.Context, name string) error {
	client, err := r.Attach(ctx, name)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Reload(ctx); err != nil {
		return fmt.Errorf("%s: not reloaded: %w", name, err)
	}
	return nil
}
