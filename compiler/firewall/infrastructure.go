package firewall

import (
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// The neighbour discovery and multicast listener messages (RFC 4861, RFC 3810)
// without which IPv6 does not work on a link. Router advertisements and
// redirects are not among them: the profile says what the routes are.
var (
	DiscoveryIn  = []int{130, 135, 136}
	DiscoveryOut = []int{131, 132, 135, 136, 143}
	ErrorsInV4   = []int{3, 11, 12}
	ErrorsInV6   = []int{1, 2, 3, 4}
)

// DiscoverySources are the addresses that the interface may speak neighbour discovery
// from: its own, the one that it gives itself, and none while it has none yet.
func (p *Policy) DiscoverySources() []netip.Addr {
	return append(p.Locals(true), space.LinkLocal(p.iface.MAC), netip.IPv6Unspecified())
}
