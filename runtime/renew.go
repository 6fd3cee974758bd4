package runtime

import (
	"context"
	"fmt"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/spans"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/kernelrules"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// renew starts the sandbox, in place of an older one that may run.
func (u *up) renew(ctx context.Context, dom *libvirt.Domain) error {
	u.looksAnew()
	backend, err := u.r.backend(u.s.Backend)
	if err != nil {
		return err
	}
	// A network that has changed must be idle to be started anew. Otherwise the
	// older one runs on until its successor's surroundings are known to be good.
	if u.networkRestarts() {
		if err := u.stopOlder(ctx, dom); err != nil {
			return fmt.Errorf("%s: cannot stop the older one: %w", u.s.Name, err)
		}
	}
	if !u.kept {
		if err := u.network(ctx); err != nil {
			return err
		}
	}
	if err := u.stopOlder(ctx, dom); err != nil {
		return fmt.Errorf("%s: cannot stop the older one: %w", u.s.Name, err)
	}
	if err := keep.Await(u.s.Dir); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if err := u.check(); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	endMounts := spans.Begin(ctx, "mounts")
	err = backend.Prepare(ctx, u.s)
	endMounts()
	if err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if u.s.Rests() {
		return stage.Remove(u.s.StageDir()) // a run makes it anew
	}
	u.begun, u.logged = true, keep.LastLogged(ctx, u.s.Dir)
	defer spans.Begin(ctx, "start")()
	if err := backend.Start(u.s, dom); err != nil {
		return fault.New(diag.Start, "%s: cannot start: %w", u.s.Name, err)
	}
	if kernelrules.Stand(u.s.Domain) {
		u.looks.ReadAhead() // the programs that read them run while the service gets ready
	}
	return nil
}

// stopOlder ends what runs by an older bundle, in that one's own way.
func (u *up) stopOlder(ctx context.Context, dom *libvirt.Domain) error {
	if err := u.r.stopGently(ctx, dom, u.s.Name, u.s.Backend); err != nil {
		return err
	}
	return virt.Stop(dom)
}

// check refuses interfaces whose filter would not hold, and a machine whose QEMU libvirt would
// keep from its own files.
func (u *up) check() error {
	if err := virt.CheckWires(u.conn, u.s.Domain); err != nil {
		return err
	}
	if u.s.Metadata.Machine != nil && !u.r.host.Embed.Is(u.conn) {
		if err := u.s.QEMU.CheckLibvirtFolder(); err != nil {
			return err
		}
	}
	return nil
}

// network makes the networks, the filters and the sandbox's names be there,
// before anything starts that depends on them.
func (u *up) network(ctx context.Context) error {
	if err := u.s.CheckIPv6(); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	unlock, err := u.r.locks.Lock(ctx, locks.All)
	if err != nil {
		return err
	}
	defer unlock()
	endNetwork := spans.Begin(ctx, "network")
	defer endNetwork()
	for _, name := range u.s.Metadata.Networks {
		if err := virt.EnsureNetwork(u.conn, u.s.Networks[name]); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	endNetwork()
	defer spans.Begin(ctx, "filter")()
	if err := u.s.LoadWalls(ctx, u.r.state()); err != nil {
		return err
	}
	for _, name := range u.s.Metadata.Filters {
		if u.keepsFilter(name) {
			continue
		}
		u.looksAnew()
		if err := virt.EnsureFilter(u.conn, u.s.Filters[name], u.rulesMoved(name)); err != nil {
			return fmt.Errorf("%s: %w", u.s.Name, err)
		}
	}
	if err := u.s.DropWalls(ctx, u.r.state()); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	if err := bound.PublishNames(u.conn, u.s); err != nil {
		return fmt.Errorf("%s: %w", u.s.Name, err)
	}
	return nil
}
