package runtime

import (
	"context"
	"fmt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/listing"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/starting"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Attach connects to the first process of the named sandbox, which must run.
func (r *Runtime) Attach(ctx context.Context, name string) (*channel.Client, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if !r.drivers.Local() {
		return nil, fault.New(diag.Elsewhere, "%s: %s is another machine's libvirt, and a sandbox is spoken with on the machine that it runs on: run sbx there", name, r.options.URI)
	}
	if s := listing.Embedded(r.state(), name); s != nil {
		return r.dialNamed(ctx, s.Backend, name)
	}
	dom, kind, err := r.find(name)
	if err != nil {
		return nil, err
	}
	defer dom.Free()
	active, err := virt.IsActive(dom)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ended := func() bool { return !active || observe.EndUnseen(dom, name, kind) }
	if !ended() {
		client, err := r.dialNamed(ctx, kind, name)
		if err == nil || ctx.Err() != nil || !ended() {
			return client, err
		}
	}
	return nil, fault.New(diag.NoSandbox, "%s is stopped: sbx up %s starts it", name, name)
}

// dialNamed connects to the first process of a sandbox that runs on this machine.
func (r *Runtime) dialNamed(ctx context.Context, kind schema.Backend, name string) (*channel.Client, error) {
	client, err := r.dial(ctx, kind, r.state().Path(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return client, nil
}

// dial connects to the first process of the running sandbox whose folder is dir.
func (r *Runtime) dial(ctx context.Context, kind schema.Backend, dir string) (*channel.Client, error) {
	ctx, cancel := r.untilAnswer(ctx)
	defer cancel()
	backend, err := r.backend(kind)
	if err != nil {
		return nil, err
	}
	return keep.Connect(ctx, backend.Held(), dir)
}

// untilAnswer bounds how long a first process may take to answer.
func (r *Runtime) untilAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	return starting.UntilAnswer(ctx, r.options.AnswerLimit, r.options.Log)
}
