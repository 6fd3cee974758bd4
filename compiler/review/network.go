package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/schema"
)

// nic is one interface of one version.
type nic struct {
	compiler.Policy
	network schema.Network
}

func nics(v Version) (map[string]nic, error) {
	out := map[string]nic{}
	if v.Profile == nil {
		return out, nil
	}
	policies, err := compiler.Policies(v.Profile, v.Peers)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		n := v.Profile.Networks[p.Key]
		if p.Key == "" {
			n = *v.Profile.Network
		}
		out[p.Key] = nic{p, n}
	}
	return out, nil
}

// network compares the interfaces that have the same key, and the only
// interfaces of profiles that have one.
func (c *comparer) network(before, after Version) error {
	old, err := nics(before)
	if err != nil {
		return err
	}
	new, err := nics(after)
	if err != nil {
		return err
	}
	if len(old) == 1 && len(new) == 1 {
		for _, o := range old {
			for _, n := range new {
				c.nics(&o, &n)
			}
		}
		return nil
	}
	for _, key := range keys(old, new) {
		o, had := old[key]
		n, has := new[key]
		switch {
		case had && has:
			c.nics(&o, &n)
		case had:
			c.nics(&o, nil)
		default:
			c.nics(nil, &n)
		}
	}
	return nil
}

// nics compares two interfaces, of which one may be nil.
func (c *comparer) nics(old, new *nic) {
	key := ""
	var differences firewall.Comparison
	switch {
	case old == nil:
		key, differences = new.Key, firewall.Compare(new.Closed(), new.Policy.Policy)
	case new == nil:
		key, differences = old.Key, firewall.Compare(old.Policy.Policy, old.Closed())
	default:
		key, differences = new.Key, firewall.Compare(old.Policy.Policy, new.Policy.Policy)
	}
	suffix := ""
	if key != "" {
		suffix = " on " + key
	}
	for _, d := range differences.Added {
		c.add(direction(d.In), true, d.String()+suffix, d.Witness.String(), d.Rule.Path)
	}
	for _, d := range differences.Removed {
		c.add(direction(d.In), false, d.String()+suffix, d.Witness.String(), d.Rule.Path)
	}
	for _, l := range differences.Loosened {
		c.add(Ingress, true, bound(l, l.Many, l.Few)+suffix, l.Witness.String(), l.Rule.Path)
	}
	for _, l := range differences.Tightened {
		c.add(Ingress, false, bound(l, l.Few, l.Many)+suffix, l.Witness.String(), l.Rule.Path)
	}
	c.set(Network, attachment(old, suffix), attachment(new, suffix))
	if old != nil && new != nil {
		c.places(old, new, suffix)
	}
}

// places compares the order of addresses, of which the first is what published
// ports lead to, and of name servers, of which the first is asked first; and the
// interfaces' keys.
func (c *comparer) places(old, new *nic, suffix string) {
	c.sequence(Network, "addresses", suffix, old.network.Address, new.network.Address, schema.Field(old.Path, "address"), schema.Field(new.Path, "address"))
	c.sequence(Network, "name servers", suffix, old.network.DNS, new.network.DNS, schema.Field(old.Path, "dns"), schema.Field(new.Path, "dns"))
	name := func(c *nic) []item {
		if c.Key == "" {
			return []item{{text: "the only interface, network, from which its MAC address follows", path: c.Path}}
		}
		return []item{{text: "an interface called " + c.Key + ", from which its MAC address follows", path: c.Path}}
	}
	c.set(Network, name(old), name(new))
}

func direction(in bool) Dimension {
	if in {
		return Ingress
	}
	return Egress
}

// bound says how many conversations there may be at once, and were.
func bound(l firewall.Loosening, is, was int) string {
	return fmt.Sprintf("%s: %s connections at once from one address, were %s", l, amount(is), amount(was))
}

func amount(n int) string {
	if n == 0 {
		return "any number of"
	}
	return fmt.Sprint(n)
}

// attachment lists where an interface is attached and what it is called there.
func attachment(c *nic, suffix string) (out []item) {
	if c == nil {
		return nil
	}
	n := &c.network
	add := func(field, format string, args ...any) {
		out = append(out, item{text: fmt.Sprintf(format, args...) + suffix, path: c.Path + "." + field})
	}
	if n.Attach != "" {
		add("attach", "network %s", n.Attach)
	}
	if n.Bridge != "" {
		add("bridge", "bridge %s", n.Bridge)
	}
	if s := n.Create; s != nil {
		add("create", "a network of its own: %s", asJSON(s))
	}
	for i, a := range n.Address {
		add(fmt.Sprintf("address[%d]", i), "address %s", a)
	}
	if n.DHCP {
		add("dhcp", "an address by dhcp")
	}
	for i, a := range n.Gateway {
		add(fmt.Sprintf("gateway[%d]", i), "gateway %s", a)
	}
	for i, r := range n.Routes {
		add(fmt.Sprintf("routes[%d]", i), "route to %s by way of %s", r.To, r.Via)
	}
	for i, p := range n.Publish {
		on := "every address"
		if len(p.On) > 0 {
			on = strings.Join(slices.Sorted(slices.Values(p.On)), ", ")
		}
		add(fmt.Sprintf("publish[%d]", i), "the host's tcp port %d on %s leads to %d", p.TCP, on, p.To)
	}
	for i, a := range n.DNS {
		add(fmt.Sprintf("dns[%d]", i), "name server %s", a)
	}
	return out
}
