package firewall

import (
	"net"
	"net/netip"

	"github.com/sbx-dev/sbx/schema"
)

// nic is the interface that the tests guard.
func nic(addresses ...string) Interface {
	i := Interface{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	for _, a := range addresses {
		i.Addresses = append(i.Addresses, netip.MustParseAddr(a))
	}
	return i
}

func allow(rules ...schema.Rule) Rules { return Rules{Allow: rules, Path: "network.allow"} }

func port(number uint16) []schema.Ports { return []schema.Ports{{From: number, To: number}} }
