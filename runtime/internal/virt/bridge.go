package virt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/inet6"
)

// forwarding is the kernel's BR_STATE_FORWARDING.
const forwarding = "3"

// bridgeLimit is how long a bridge with spanning tree may take to forward: twice
// the least delay that Linux allows, and some more.
const bridgeLimit = 15 * time.Second

// WaitForBridge waits until the bridges that the domain's interfaces are on pass
// packets, and have their own addresses. A bridge with spanning tree, as libvirt's
// default network has, takes four seconds for that after an interface has joined; an
// address of IPv6 up to two more, from the first interface on.
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
		if err := waitForAddresses(ctx, i.Target.Dev); err != nil {
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

// waitForAddresses waits until the host can be reached by the bridge of the device, and
// reaches from there: a connection that began earlier would have the address of some
// other network for its own, which the sandbox cannot answer.
func waitForAddresses(ctx context.Context, device string) error {
	bridge, err := os.Readlink("/sys/class/net/" + device + "/master")
	if err != nil { // not on a bridge, or gone
		return nil
	}
	bridge = filepath.Base(bridge)
	for inet6.Tentative(func(d string) bool { return d == bridge }) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the host's address of IPv6 on the bridge %s is not there yet (duplicate address detection): %w", bridge, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// skipDetection tells the kernel not to look for a duplicate of the bridge's own
// addresses, which takes up to two seconds from the first interface on: on a network
// that sbx has made nobody else has them, and a sandbox that claimed one would take it
// from the host. Where it cannot be told so, or is told to look everywhere
// (net.ipv6.conf.all.accept_dad), WaitForBridge waits.
func skipDetection(bridge string) {
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+bridge+"/accept_dad", []byte("0"), 0)
}
