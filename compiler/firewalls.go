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

// Policy is the allow-list of one interface, resolved but not lowered.
type Policy struct {
	*firewall.Policy
	Key  string // of a profile's networks; empty for its only network
	Path string // where the interface stands in the profile
}

// Policies resolves the allow-list of each of a profile's interfaces. Its errors
// are diagnostics.
func Policies(p *schema.Profile, peers map[string][]netip.Addr) ([]Policy, error) {
	var out []Policy
	for _, c := range networkCards(p) {
		iface, rules, err := c.firewallInput(p.Source, peers)
		if err != nil {
			return nil, err
		}
		policy, err := firewall.Resolve(iface, rules)
		if err != nil {
			return nil, err
		}
		out = append(out, Policy{policy, c.key, c.path})
	}
	return out, nil
}
