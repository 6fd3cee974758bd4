package network

import (
	"fmt"
	"net"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

const (
	// addressLimit is how long an interface may have a wrong hardware address.
	addressLimit = 30 * time.Second
	addressPause = 5 * time.Millisecond
)

// Await waits until all interfaces have their hardware addresses. A container's may get
// theirs from the host just after this process has started; the filter drops
// whatever they send before.
func Await(interfaces []manifest.Interface) error {
	deadline := time.Now().Add(addressLimit)
	for _, i := range interfaces {
		for {
			nic, err := net.InterfaceByName(i.Name)
			if err != nil {
				return fmt.Errorf("network interface %s: %w", i.Name, err)
			}
			if nic.HardwareAddr.String() == i.MAC {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("network interface %s: its address is still %s, and not %s, with which packets may pass", i.Name, nic.HardwareAddr, i.MAC)
			}
			time.Sleep(addressPause)
		}
	}
	return nil
}
