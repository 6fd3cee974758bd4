package bound

import (
	"fmt"
	"os"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ipv6Table is there if the kernel has IPv6, and was not told to have none.
const ipv6Table = "/proc/net/if_inet6"

// IPv6Mend is what to do on a host without IPv6.
const IPv6Mend = "start the kernel without ipv6.disable=1, or leave addresses of IPv6 out of profiles"

// CheckIPv6 refuses what the host's kernel would have to give an address of IPv6 to,
// and cannot: a container, and the host's end of a network. A machine has a kernel of
// its own.
func (s *Sandbox) CheckIPv6() error {
	if _, err := os.Stat(ipv6Table); err == nil {
		return nil
	}
	if !s.Backend.BootsKernel() {
		for _, address := range s.Metadata.Addresses() {
			if strings.Contains(address, ":") {
				return fault.New(diag.NoNetwork, "its address %s is one of IPv6, which this host's kernel has not: %s", address, IPv6Mend)
			}
		}
	}
	for name, document := range s.Networks {
		network := new(libvirtxml.Network)
		if err := network.Unmarshal(string(document)); err != nil {
			return fmt.Errorf("the bundle's network %s: %w", name, err)
		}
		for _, ip := range network.IPs {
			if ip.Family == "ipv6" {
				return fault.New(diag.NoNetwork, "the network %s has the address %s of IPv6, which this host's kernel has not: %s", name, ip.Address, IPv6Mend)
			}
		}
	}
	return nil
}
