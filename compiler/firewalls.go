package compiler

import (
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/schema"
)

// Firewall is the compiled allow-list of one interface.
type Firewall struct {
	*firewall.Compiled
	Key  string // of a profile's networks; empty for its only network
	Path string // where the interface stands in the profile
}

// Firewalls compiles and proves the allow-list of each of a profile's
// interfaces, and nothing else of the profile. Its errors are diagnostics.
func Firewalls(p *schema.Profile, peers map[string][]netip.Addr) ([]Firewall, error) {
	s := &sandbox{Profile: p, cards: networkCards(p)}
	if _, err := s.compileFirewalls(peers); err != nil {
		return nil, err
	}
	out := make([]Firewall, len(s.cards))
	for i, c := range s.cards {
		out[i] = Firewall{c.firewall, c.key, c.path}
	}
	return out, nil
}
