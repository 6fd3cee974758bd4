package schema

import (
	"net/netip"
	"reflect"
	"strings"

	"github.com/sbx-dev/sbx/schema/diag"
)

// create checks the network that a profile owns against the interface on it.
func (c *checker) create(at string, n *Network, own []netip.Prefix) {
	if n.Create == nil {
		return
	}
	path := Field(at, "create")
	if n.Bridge != "" {
		c.note(c.fail(diag.Subnet, path, "name the network with attach", "a created network is a libvirt network, not a bridge"), Field(at, "bridge"), "the bridge is named here")
		return
	}
	var host []netip.Prefix
	families := make(map[string]bool)
	for i, a := range n.Create.Address {
		at := c.entry(path, "address", i)
		p, ok := c.hostAddress(at, a)
		if !ok {
			return
		}
		if families[family(p.Addr())] {
			c.fail(diag.Subnet, at, "want one for IPv4 and one for IPv6 at most", "a second %s address of the host", family(p.Addr()))
		}
		families[family(p.Addr())] = true
		host = append(host, p)
	}
	for i, p := range own {
		if len(own) == len(n.Address) {
			c.onSubnet(c.entry(at, "address", i), path, p.Addr(), host)
		}
	}
	c.dhcpRange(path, n, host)
}

// createdTwice checks that interfaces which create the same network agree on it.
func (c *checker) createdTwice() {
	first := make(map[string]string) // the interface that creates a network
	for _, key := range sorted(c.Networks) {
		n := c.Networks[key]
		if n.Create == nil || n.Attach == "" {
			continue
		}
		other, ok := first[n.Attach]
		if !ok {
			first[n.Attach] = key
			continue
		}
		if !reflect.DeepEqual(n.Create, c.Networks[other].Create) {
			d := c.fail(diag.Subnet, Field(Field("networks", key), "create"), "write the same in both, or give one of them a network of its own", "two interfaces create the network %q, each in another way", n.Attach)
			c.note(d, Field(Field("networks", other), "create"), "it is created here first")
		}
	}
}

// onSubnet checks an address of the sandbox against the host's.
func (c *checker) onSubnet(at, create string, a netip.Addr, host []netip.Prefix) {
	for _, h := range host {
		if h.Addr() == a {
			c.note(c.fail(diag.Subnet, at, "want another address", "%q is the host's own address on the network", a), Field(create, "address"), "it is given to the host here")
			return
		}
	}
	if len(host) > 0 && !inside(a, host) {
		c.note(c.fail(diag.Subnet, at, "want an address of the created network", "%q is outside of the network that is created", a), Field(create, "address"), "the network is given here")
	}
}

func (c *checker) dhcpRange(create string, n *Network, host []netip.Prefix) {
	at := Field(create, "dhcp")
	if n.Create.DHCP == "" {
		if n.DHCP && len(n.Create.Address) > 0 {
			c.note(c.fail(diag.DHCP, Field(FieldOf(Enclosing(create)), "dhcp"), `give create a range, as in dhcp: "10.0.0.10-10.0.0.99"`, "nobody gives out addresses on the created network"), create, "the network is created here")
		}
		return
	}
	low, high, ok := c.addressRange(at, n.Create.DHCP)
	switch {
	case !ok:
	case !low.Is4():
		c.fail(diag.Subnet, at, "want a range of IPv4 addresses", "addresses are given out for IPv4 only")
	case !inside(low, host) || !inside(high, host):
		c.note(c.fail(diag.Subnet, at, "want a range within the created network", "the range is outside of the network that is created"), Field(create, "address"), "the network is given here")
	}
}

// addressRange reads "LOW-HIGH".
func (c *checker) addressRange(at, text string) (low, high netip.Addr, ok bool) {
	from, to, _ := strings.Cut(text, "-")
	low, err1 := netip.ParseAddr(from)
	high, err2 := netip.ParseAddr(to)
	switch {
	case err1 != nil || err2 != nil:
		bad := from
		if err1 == nil {
			bad = to
		}
		c.fail(diag.Peer, at, `want two addresses with "-" between them`, "%q is not an address", diag.Short(bad))
	case family(low) != family(high):
		c.fail(diag.Peer, at, "want two addresses of one family", "the range goes from %s to %s", family(low), family(high))
	case high.Less(low):
		c.fail(diag.Peer, at, "did you mean \""+high.String()+"-"+low.String()+"\"?", "the range runs backwards")
	default:
		return low, high, true
	}
	return low, high, false
}
