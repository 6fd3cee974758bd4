package runtime

import (
	"context"
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/schema"
)

// Attach connects to the first process of the named sandbox, which must run.
func (r *Runtime) Attach(ctx context.Context, name string) (*channel.Client, error) {
	if !r.local() {
		return nil, fmt.Errorf("%s: %s is another machine's libvirt, and a sandbox is spoken with on the machine that it runs on: run sbx there", name, r.options.URI)
	}
	running, err := r.isRunning(name)
	if err != nil {
		return nil, err
	}
	if !running {
		return nil, fmt.Errorf("%s does not run; sbx ps lists what does, and sbx up starts it", name)
	}
	client, err := r.dial(ctx, filepath.Join(r.options.StateDir, name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return client, nil
}

// isRunning says whether a sandbox of the name, of whatever backend, runs.
func (r *Runtime) isRunning(name string) (bool, error) {
	for _, kind := range []schema.Backend{schema.LXC, schema.KVM} {
		conn, err := r.connect(kind)
		if errorCode(err) == libvirt.ERR_NO_CONNECT { // this libvirt has no such driver
			continue
		}
		if err != nil {
			return false, err
		}
		dom, _, err := lookupOwn(conn, name)
		if err != nil {
			return false, err
		}
		if dom == nil {
			continue
		}
		active, err := dom.IsActive()
		dom.Free()
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, plain(err))
		}
		if active {
			return true, nil
		}
	}
	return false, nil
}
