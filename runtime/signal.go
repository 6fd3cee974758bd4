package runtime

import (
	"context"
	"fmt"
	"syscall"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Signal sends a signal to the first process of the sandbox's command, and to no other.
func (r *Runtime) Signal(ctx context.Context, name string, signal syscall.Signal) error {
	return r.ask(ctx, name, func(c *channel.Client) error { return c.Signal(ctx, signal) })
}

// Reload has the sandbox's service reload as its profile says, until it answers again.
func (r *Runtime) Reload(ctx context.Context, name string) error {
	return r.ask(ctx, name, func(c *channel.Client) error { return c.Reload(ctx) })
}

func (r *Runtime) ask(ctx context.Context, name string, do func(*channel.Client) error) error {
	client, err := r.Attach(ctx, name)
	if err == nil {
		defer client.Close()
		if err = do(client); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	return err
}
