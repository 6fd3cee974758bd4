package schema

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sbx-dev/sbx/schema/diag"
)

// rule checks one entry of allow.
func (c *checker) rule(at string, r Rule) {
	switch {
	case r.In != nil && len(r.To) > 0:
		c.note(c.fail(diag.RuleFields, Field(at, "to"), "did you mean from?", "to goes with out: what comes in is sent to the sandbox"), Field(at, "in"), "in is set here")
	case r.Out != nil && len(r.From) > 0:
		c.note(c.fail(diag.RuleFields, Field(at, "from"), "did you mean to?", "from goes with in: what goes out is sent by the sandbox"), Field(at, "out"), "out is set here")
	case r.Connections != 0 && (r.In == nil || len(r.In.TCP) == 0) && (r.In != nil || r.Out != nil):
		c.fail(diag.RuleFields, Field(at, "connections"), "remove it, or set in: tcp", "connections counts TCP connections that come in")
	}
	c.match(Field(at, "in"), r.In)
	c.match(Field(at, "out"), r.Out)
	c.peers(at, "from", r.From, r.In)
	c.peers(at, "to", r.To, r.Out)
}

func (c *checker) match(at string, m *Match) {
	if m == nil {
		return
	}
	for _, p := range []struct {
		name  string
		ports []Ports
	}{{"tcp", m.TCP}, {"udp", m.UDP}, {"sctp", m.SCTP}} {
		seen := make(map[Ports]bool)
		for i, r := range p.ports {
			path := Elem(Field(at, p.name), i)
			if r.From > r.To {
				c.fail(diag.PortRange, path, fmt.Sprintf("did you mean \"%d-%d\"?", r.To, r.From), "the range of ports runs backwards")
			}
			if seen[r] && r != (Ports{}) {
				c.fail(diag.Twice, path, "remove one of them", "the port stands here twice")
			}
			seen[r] = true
		}
	}
}

// peers checks who a rule is about.
func (c *checker) peers(at, field string, list List, m *Match) {
	for i, text := range list {
		path := c.entry(at, field, i)
		a, ok := c.peer(path, text)
		if !ok || m == nil {
			continue
		}
		if m.ICMP != nil && !a.Is4() {
			c.fail(diag.RuleFields, path, "use icmpv6 for IPv6", "icmp is IPv4's, and %q is an IPv6 address", text)
		}
		if m.ICMPv6 != nil && a.Is4() {
			c.fail(diag.RuleFields, path, "use icmp for IPv4", "icmpv6 is IPv6's, and %q is an IPv4 address", text)
		}
	}
	c.twice(Field(at, field), list)
}

// peer reads an address, a network, a range or a name, and gives its first
// address; ok is false for a name and for what is wrong.
func (c *checker) peer(at, text string) (first netip.Addr, ok bool) {
	switch {
	case text == "" || !strings.ContainsAny(text, ".:"):
		return first, false
	case strings.Contains(text, "-"):
		first, _, ok = c.addressRange(at, text)
		return first, ok
	case !strings.Contains(text, "/"):
		a, err := netip.ParseAddr(text)
		if err != nil || a.Is4In6() || a.Zone() != "" {
			c.fail(diag.Peer, at, `want one such as "10.0.0.1" or "fd00::1"`, "%q is not an address", diag.Short(text))
			return a, false
		}
		return a, true
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		c.fail(diag.Peer, at, `want one such as "10.0.0.0/8"`, "%q is not a network", diag.Short(text))
	case p.Masked() != p:
		c.fail(diag.Peer, at, "did you mean \""+p.Masked().String()+"\", or the one address \""+p.Addr().String()+"\"?", "%q is an address in a network, not a network", text)
	default:
		return p.Addr(), true
	}
	return first, false
}
