package compiler

import (
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Firewall is the compiled allow-list of one interface.
type Firewall = domain.Filter

// Firewalls compiles and proves the allow-list of each of a profile's
// interfaces, and nothing else of the profile. Its errors are diagnostics.
func Firewalls(p *schema.Profile, peers map[string][]netip.Addr) ([]Firewall, error) {
	interfaces, err := resolve.Policies(p, peers)
	if err != nil {
		return nil, err
	}
	return domain.Filters(interfaces)
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
	interfaces, err := resolve.Policies(p, peers)
	if err != nil {
		return nil, err
	}
	var out []Policy
	for _, i := range interfaces {
		out = append(out, Policy{i.Policy, i.Key, i.Path})
	}
	return out, nil
}

// Peers gives the addresses by which rules may name each of the profiles. An
// address that DHCP will choose is not known and not among them.
func Peers(profiles []*schema.Profile) map[string][]netip.Addr { return resolve.Peers(profiles) }

// Together lists what more than one of the profiles wants for itself, though on one
// host only one can have it, such as an address on a network.
func Together(profiles []*schema.Profile) diag.List { return resolve.Together(profiles) }

// Order gives the profiles in the order in which their sandboxes start, and by name
// which of the others come before each.
func Order(profiles []*schema.Profile) (sorted []*schema.Profile, before map[string][]string) {
	return resolve.Order(profiles)
}

// Unmet warns of names in after of which none of the profiles is, nor one that is there
// besides.
func Unmet(profiles []*schema.Profile, there func(p *schema.Profile, name string) bool) diag.List {
	return resolve.Unmet(profiles, there)
}
