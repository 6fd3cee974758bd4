package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Wait waits until the sandbox's command has ended for good, and gives its last
// state. Of a sandbox that is stopped already it gives what its keeper noted,
// until it starts again. The error says that the sandbox ended before its
// command did, or that nothing tells how.
func (r *Runtime) Wait(ctx context.Context, name string) (channel.Status, error) {
	if err := checkName(name); err != nil {
		return channel.Status{}, err
	}
	status, err := r.watchEnd(ctx, name)
	if err == nil || ctx.Err() != nil || !r.drivers.Local() {
		return status, err
	}
	if there, findErr := r.drivers.HasDomain(name); !there || findErr != nil {
		return status, err
	}
	noted, noteErr := keep.NotedEnd(r.state().Path(name))
	if errors.Is(noteErr, fs.ErrNotExist) && fault.Code(err) == diag.NoSandbox {
		return status, fault.New(diag.NoSandbox, "%s is stopped, and how its command ended is noted nowhere: somebody ended the sandbox before it, or its keeper: sbx up %s starts it", name, name)
	}
	if errors.Is(noteErr, fs.ErrNotExist) {
		return status, err
	}
	if noteErr != nil {
		return status, fmt.Errorf("%w; how it ended before cannot be read: %w", err, noteErr)
	}
	return noted, nil
}

// watchEnd asks the sandbox's first process.
func (r *Runtime) watchEnd(ctx context.Context, name string) (last channel.Status, err error) {
	err = r.ask(ctx, name, func(c *channel.Client) (err error) { last, err = c.WaitEnd(ctx); return err })
	return last, err
}
