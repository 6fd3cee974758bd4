package resolve

import (
	"net/netip"

	"github.com/sbx-dev/sbx/schema"
)

// Peers gives the addresses by which rules may name each of the profiles. An
// address that DHCP will choose is not known and not among them.
func Peers(profiles []*schema.Profile) map[string][]netip.Addr {
	peers := map[string][]netip.Addr{}
	for _, p := range profiles {
		for _, c := range Interfaces(p) {
			for _, text := range c.Address {
				if a, err := netip.ParsePrefix(text); err == nil {
					peers[p.Name] = append(peers[p.Name], a.Addr())
				}
			}
		}
	}
	return peers
}
