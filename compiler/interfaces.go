package compiler

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// networkCard is one interface of a sandbox with the names that follow from it.
type networkCard struct {
	schema.Network
	path     string // where it stands in the profile
	key      string // of a profile's networks; empty for its only network
	guest    string // its name inside
	device   string // its name on the host
	mac      net.HardwareAddr
	filter   string
	firewall *firewall.Compiled
}

// networkCards lists a profile's interfaces in the order in which they appear
// inside: eth0, eth1, ….
func networkCards(p *schema.Profile) []networkCard {
	if p.Network != nil {
		return []networkCard{newNetworkCard(p.Name, "network", "", 0, *p.Network)}
	}
	var cards []networkCard
	for i, key := range slices.Sorted(maps.Keys(p.Networks)) {
		path := schema.Field("networks", key)
		cards = append(cards, newNetworkCard(p.Name, path, key, i, p.Networks[key]))
	}
	return cards
}

func newNetworkCard(sandbox, path, key string, index int, n schema.Network) networkCard {
	return networkCard{
		Network: n,
		path:    path,
		key:     key,
		guest:   fmt.Sprintf("eth%d", index),
		device:  deviceName(sandbox, key),
		mac:     macAddress(sandbox, key),
		filter:  filterName(sandbox, key),
	}
}

// creators are the interfaces that bring a network of the profile's own along:
// one for each network, however many are on it.
func (s *sandbox) creators() (list []networkCard) {
	for _, c := range s.cards {
		same := func(d networkCard) bool { return d.Attach == c.Attach }
		if c.Create != nil && !slices.ContainsFunc(list, same) {
			list = append(list, c)
		}
	}
	return list
}

// fileName names one interface's artifact of a bundle.
func (c networkCard) fileName(kind string) string {
	if c.key == "" {
		return kind + ".xml"
	}
	return kind + "-" + c.key + ".xml"
}

// compileFirewalls lowers and proves each interface's allow-list, and gives the
// remarks on them.
func (s *sandbox) compileFirewalls(peers map[string][]netip.Addr) (diag.List, error) {
	var warnings, faults diag.List
	for i := range s.cards {
		c := &s.cards[i]
		compiled, err := c.compileFirewall(s.Source, peers)
		if list, ok := diag.From(err); ok {
			faults = append(faults, list...)
			continue
		}
		if err != nil {
			return nil, err
		}
		c.firewall = compiled
		warnings = append(warnings, compiled.Policy.Warnings()...)
	}
	return warnings, faults.Err()
}

func (c *networkCard) compileFirewall(source schema.Source, peers map[string][]netip.Addr) (*firewall.Compiled, error) {
	iface, rules, err := c.firewallInput(source, peers)
	if err != nil {
		return nil, err
	}
	return firewall.Compile(iface, rules)
}

// firewallInput is what package firewall is told of the interface.
func (c *networkCard) firewallInput(source schema.Source, peers map[string][]netip.Addr) (firewall.Interface, firewall.Rules, error) {
	iface := firewall.Interface{
		Filter: c.filter,
		UUID:   UUID("filter", c.filter),
		MAC:    c.mac,
		DHCP:   c.DHCP,
	}
	for _, text := range c.Address {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return iface, firewall.Rules{}, fmt.Errorf("%s: %s: %w", source.Pos(c.path), c.path, err)
		}
		iface.Addresses = append(iface.Addresses, a.Addr())
	}
	return iface, firewall.Rules{
		Allow:  c.Allow,
		Path:   c.path + ".allow",
		Source: source,
		Peers:  peers,
	}, nil
}
