package schema

import (
	"net/netip"

	"github.com/sbx-dev/sbx/schema/diag"
)

// networks checks each interface, and what there may be but once.
func (c *checker) networks() {
	if c.Network != nil && len(c.Networks) > 0 {
		d := c.fail(diag.TwoNetworks, "networks", "move network into networks", "network and networks are both set")
		c.note(d, "network", "network is set here")
	}
	gateways := make(map[string]string) // by family, where the default route is
	if c.Network != nil {
		c.network("network", c.Network, gateways)
	}
	for _, key := range sorted(c.Networks) {
		n := c.Networks[key]
		c.network(Field("networks", key), &n, gateways)
	}
	c.createdTwice()
}

func (c *checker) network(at string, n *Network, gateways map[string]string) {
	var own []netip.Prefix
	for i, a := range n.Address {
		if a == Auto {
			c.auto(c.entry(at, "address", i), n)
			continue
		}
		if p, ok := c.hostAddress(c.entry(at, "address", i), a); ok {
			own = append(own, p)
		}
	}
	c.twice(Field(at, "address"), n.Address)
	c.dhcp(at, n, own)
	c.create(at, n, own)
	for i, g := range n.Gateway {
		c.gateway(c.entry(at, "gateway", i), g, n, own, gateways)
	}
	for i, r := range n.Routes {
		c.route(Elem(Field(at, "routes"), i), r, n, own)
	}
	for i, d := range n.DNS {
		c.address(c.entry(at, "dns", i), d)
	}
	for i, r := range n.Allow {
		c.rule(Elem(Field(at, "allow"), i), r)
	}
}

// auto reports an "auto" for which no address was found.
func (c *checker) auto(at string, n *Network) {
	if n.Create == nil {
		c.fail(diag.HostAddress, at, `write the number, as in "192.168.122.80/24", or give the network's addresses with create`,
			"the network's addresses are not known, from which %q takes one", Auto)
		return
	}
	c.note(c.fail(diag.HostAddress, at, `write the number, or give the network more addresses`,
		"the network has no address left that %q could stand for: each of its families has one, or has room for none", Auto), Field(Enclosing(FieldOf(at)), "create"), "the network is created here")
}

// entry is the path of an element of a list that may be written as one word.
func (c *checker) entry(at, field string, i int) string {
	list := Field(at, field)
	if _, written := c.Source.Origin(Elem(list, i)); !written {
		return list
	}
	return Elem(list, i)
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// address reads one address that packets can be sent to.
func (c *checker) address(at, text string) (netip.Addr, bool) {
	if text == "" {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil || a.Zone() != "":
		c.fail(diag.BadAddress, at, `want one such as "10.0.0.1" or "fd00::1"`, "%q is not an address", diag.Short(text))
	case a.Is4In6():
		c.fail(diag.BadAddress, at, "write "+a.Unmap().String(), "%q is an IPv4 address in IPv6's clothes", text)
	case a.IsUnspecified() || a.IsMulticast():
		c.fail(diag.BadAddress, at, "want the address of one machine", "%q is not the address of a machine", text)
	default:
		return a, true
	}
	return a, false
}

// hostAddress reads an interface's own address.
func (c *checker) hostAddress(at, text string) (netip.Prefix, bool) {
	if text == "" {
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		c.fail("SBX0024", at, `want one such as "10.0.0.5/24" or "fd00::5/64"`, "%q is not an address with a prefix length", diag.Short(text))
		return p, false
	}
	if _, ok := c.address(at, p.Addr().String()); !ok {
		return p, false
	}
	a := p.Addr()
	switch {
	case a.IsLoopback():
		c.fail(diag.HostAddress, at, "every sandbox has its own loopback already", "%q is a loopback address", text)
	case p.Bits() == 0:
		c.fail(diag.HostAddress, at, "want the length of the interface's network, as in /24", "a prefix length of 0 takes the whole world for the interface's network")
	case p.Bits() < a.BitLen()-1 && a == p.Masked().Addr():
		c.fail(diag.HostAddress, at, "want one of the addresses in it", "%q is the address of the network itself", text)
	case a.Is4() && p.Bits() < 31 && a == last(p):
		c.fail(diag.HostAddress, at, "want one of the addresses before it", "%q is the network's broadcast address", text)
	default:
		return p, true
	}
	return p, false
}

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// inside reports whether one of the networks holds the address.
func inside(a netip.Addr, networks []netip.Prefix) bool {
	for _, n := range networks {
		if n.Masked().Contains(a) {
			return true
		}
	}
	return false
}

func (c *checker) dhcp(at string, n *Network, own []netip.Prefix) {
	if !n.DHCP {
		return
	}
	if len(n.Gateway) > 0 {
		d := c.fail(diag.DHCP, Field(at, "gateway"), "remove one of them", "DHCP gives the default route already")
		c.note(d, Field(at, "dhcp"), "DHCP is turned on here")
	}
	for _, p := range own {
		if p.Addr().Is4() {
			d := c.fail(diag.DHCP, Field(at, "address"), "remove one of them", "DHCP gives the IPv4 address already")
			c.note(d, Field(at, "dhcp"), "DHCP is turned on here")
			return
		}
	}
}

func (c *checker) gateway(at, text string, n *Network, own []netip.Prefix, gateways map[string]string) {
	a, ok := c.address(at, text)
	if !ok {
		return
	}
	if first, ok := gateways[family(a)]; ok {
		c.note(c.fail(diag.Gateway, at, "keep one of them", "a second default route for %s", family(a)), first, "the first one is here")
		return
	}
	gateways[family(a)] = at
	c.reachable(diag.Gateway, at, "gateway", a, n, own)
}

// reachable checks that a router stands on one of the interface's own networks.
func (c *checker) reachable(code, at, what string, a netip.Addr, n *Network, own []netip.Prefix) {
	if len(own) < len(n.Address) || n.DHCP || a.IsLinkLocalUnicast() {
		return // a wrong address was reported, or DHCP decides
	}
	for _, p := range own {
		if p.Addr() == a {
			c.fail(code, at, "want the router's address", "the %s %q is the sandbox's own address", what, a)
			return
		}
	}
	if !inside(a, own) {
		d := c.fail(code, at, "want an address on the interface's own network", "the %s %q is on none of the interface's networks", what, a)
		for i := range n.Address {
			c.note(d, c.entry(Enclosing(FieldOf(at)), "address", i), "the interface's own address is "+n.Address[i])
		}
	}
}

func (c *checker) route(at string, r Route, n *Network, own []netip.Prefix) {
	via, viaOK := c.address(Field(at, "via"), r.Via)
	if r.To == "" {
		return
	}
	to, err := netip.ParsePrefix(r.To)
	switch {
	case err != nil:
		c.fail("SBX0024", Field(at, "to"), `want a network such as "10.0.0.0/8"`, "%q is not a network", diag.Short(r.To))
	case to.Bits() == 0:
		c.fail(diag.Routes, Field(at, "to"), "set gateway instead", "this is the default route")
	case to.Masked() != to:
		c.fail(diag.Routes, Field(at, "to"), "did you mean \""+to.Masked().String()+"\"?", "%q is an address in a network, not a network", r.To)
	case viaOK && family(via) != family(to.Addr()):
		c.fail(diag.Routes, Field(at, "via"), "", "an %s network cannot be reached through an %s router", family(to.Addr()), family(via))
	case viaOK && len(own) == len(n.Address) && !n.DHCP && !via.IsLinkLocalUnicast() && !inside(via, own):
		c.fail(diag.Routes, Field(at, "via"), "want an address on the interface's own network", "the router %q is on none of the interface's networks", via)
	}
}
