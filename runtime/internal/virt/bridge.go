package virt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"
)

// forwarding is the kernel's BR_STATE_FORWARDING.
const forwarding = "3"

// bridgeLimit is how long a bridge with spanning tree may take to forward: twice
// the least delay that Linux allows, and some more.
const bridgeLimit = 15 * time.Second

// WaitForBridge waits until the bridges that the domain's interfaces are on pass
// packets. A bridge with spanning tree, as libvirt's default network has, takes
// four seconds for that after an interface has joined.
func WaitForBridge(ctx context.Context, d *libvirtxml.Domain) error {
	if d.Devices == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, bridgeLimit)
	defer cancel()
	for _, i := range d.Devices.Interfaces {
		if i.Target == nil {
			continue
		}
		if err := waitForPort(ctx, i.Target.Dev); err != nil {
			return err
		}
	}
	return nil
}

func waitForPort(ctx context.Context, device string) error {
	for {
		state, err := os.ReadFile("/sys/class/net/" + device + "/brport/state")
		switch {
		case errors.Is(err, fs.ErrNotExist): // not on a bridge, or gone
			return nil
		case err != nil:
			return err
		case strings.TrimSpace(string(state)) == forwarding:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the bridge of %s does not forward: %w", device, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
