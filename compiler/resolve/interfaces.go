package resolve

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Interface is one interface of a sandbox, with what follows from its profile.
type Interface struct {
	schema.Network
	Path   string           // where it stands in the profile
	Key    string           // of a profile's networks; empty for its only network
	Guest  string           // its name inside
	MAC    net.HardwareAddr // its address on the link
	Policy *firewall.Policy // which packets may pass

	sandbox string
}

// Interfaces lists a profile's interfaces in the order in which they appear inside:
// eth0, eth1, …. Their rules are not resolved yet.
func Interfaces(p *schema.Profile) []Interface {
	if p.Network != nil {
		return []Interface{newInterface(p.Name, "network", "", 0, *p.Network)}
	}
	var list []Interface
	for i, key := range slices.Sorted(maps.Keys(p.Networks)) {
		list = append(list, newInterface(p.Name, schema.Field("networks", key), key, i, p.Networks[key]))
	}
	return list
}

// Device is the host's end of the interface.
func (i *Interface) Device() string { return identity.Device(i.sandbox, i.Key) }

func newInterface(sandbox, path, key string, index int, n schema.Network) Interface {
	return Interface{
		Network: n,
		Path:    path,
		Key:     key,
		Guest:   fmt.Sprintf("eth%d", index),
		MAC:     identity.MAC(sandbox, key),
		sandbox: sandbox,
	}
}

// Policies resolves the allow-list of each of a profile's interfaces, and nothing
// else of it. Its errors are diagnostics.
func Policies(p *schema.Profile, peers map[string][]netip.Addr) ([]Interface, error) {
	list := Interfaces(p)
	var faults diag.List
	for i := range list {
		err := list[i].resolve(p.Source, peers)
		if of, ok := diag.From(err); ok {
			faults = append(faults, of...)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return list, faults.Err()
}

func (i *Interface) resolve(source schema.Source, peers map[string][]netip.Addr) error {
	iface := firewall.Interface{
		Filter: identity.Filter(i.sandbox, i.Key),
		MAC:    i.MAC,
		DHCP:   i.DHCP,
	}
	iface.UUID = identity.UUID("filter", iface.Filter)
	for _, text := range i.Address {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", source.Pos(i.Path), i.Path, err)
		}
		iface.Addresses = append(iface.Addresses, a.Addr())
	}
	var err error
	i.Policy, err = firewall.Resolve(iface, firewall.Rules{
		Allow:  i.Allow,
		Path:   i.Path + ".allow",
		Source: source,
		Peers:  peers,
	})
	return err
}
