package runtime

import (
	"context"
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/schema"
)

// Stop stops the sandbox as its profile says it wants to be stopped, and keeps
// all that was made for it. It says whether the sandbox ran.
func (r *Runtime) Stop(ctx context.Context, name string) (ran bool, err error) {
	unlock, err := r.lock(ctx, name)
	if err != nil {
		return false, err
	}
	defer unlock()
	dom, _, err := r.find(name)
	if err != nil {
		return false, err
	}
	defer dom.Free()
	if ran, err = dom.IsActive(); err != nil || !ran {
		return false, plain(err)
	}
	if err := r.stopGently(ctx, dom, name); err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	if err := stop(dom); err != nil {
		return true, fmt.Errorf("%s: cannot stop: %w", name, err)
	}
	return true, nil
}

// Restart stops the sandbox's command and starts it again, and waits until it is
// ready. The sandbox itself, its interface and its mounts stay.
func (r *Runtime) Restart(ctx context.Context, name string) error {
	dom, _, err := r.find(name)
	if err != nil {
		return err
	}
	defer dom.Free()
	if active, err := dom.IsActive(); err != nil || !active {
		if err != nil {
			return fmt.Errorf("%s: %w", name, plain(err))
		}
		return fmt.Errorf("%s is stopped: sbx up %s starts it", name, name)
	}
	client, err := r.dial(ctx, filepath.Join(r.options.StateDir, name))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer client.Close()
	if err := client.Restart(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := client.WaitReady(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// find gives the domain of a sandbox that is there.
func (r *Runtime) find(name string) (*libvirt.Domain, schema.Backend, error) {
	for _, kind := range []schema.Backend{schema.LXC, schema.KVM} {
		conn, err := r.connect(kind)
		if errorCode(err) == libvirt.ERR_NO_CONNECT { // this libvirt has no such driver
			continue
		}
		if err != nil {
			return nil, "", err
		}
		dom, _, err := lookupOwn(conn, name)
		if dom != nil || err != nil {
			return dom, kind, err
		}
	}
	return nil, "", fmt.Errorf("there is no sandbox %s: sbx ps lists what there is", name)
}
