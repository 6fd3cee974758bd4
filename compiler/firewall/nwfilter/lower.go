package nwfilter

import (
	"net/netip"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Where each kind of rule stands. Ebtables and iptables are walked apart, so only the
// order within a layer counts: A's are below zero, B's above. Accepts do not
// depend on each other's order, so the ones behind the last free priority share
// it.
const (
	firstInEbtables, lastInEbtables = -1000, -3
	dropMACInEbtables               = -1000
	dropAllInEbtables               = -2
	firstInIptables, lastInIptables = 100, 997
	dropAllV4InB                    = 998
	dropAllV6InB                    = 999
)

// maxComment is libvirt's limit on a rule's comment.
const maxComment = 256

// lowering collects a filter's rules.
type lowering struct {
	policy  *firewall.Policy
	filter  *libvirtxml.NWFilter
	comment string

	ebtables, iptables int // the next free priorities
}

// write writes the policy as an nwfilter: default deny both ways for every kind
// of frame, IPv4 and IPv6, and nothing out that does not carry the interface's own
// MAC and IP addresses. Iptables has rules of the families that the policy speaks
// only: libvirt starts some forty programs to make the chains of each, and what
// passes without a rule, such as neighbour discovery, ebtables tells as exactly.
func write(p *firewall.Policy, parts []firewall.Part) *libvirtxml.NWFilter {
	l := newLowering(p)
	l.wholeEbtables(parts)

	l.infrastructureIptables()
	for _, part := range parts {
		l.comment = comment(p, part)
		l.ruleIptables(part.Rule)
	}
	if p.Speaks(false) {
		l.add("drop", "inout", dropAllV4InB, libvirtxml.NWFilterRule{All: &libvirtxml.NWFilterRuleAll{}})
	}
	if p.Speaks(true) {
		l.add("drop", "inout", dropAllV6InB, libvirtxml.NWFilterRule{AllIPv6: &libvirtxml.NWFilterRuleAllIPv6{}})
	}
	return l.filter
}

func newLowering(p *firewall.Policy) *lowering {
	return &lowering{policy: p, ebtables: firstInEbtables, iptables: firstInIptables,
		filter: &libvirtxml.NWFilter{Name: p.Interface().Filter, UUID: p.Interface().UUID, Chain: "root"}}
}

// wholeEbtables emits all of ebtables.
func (l *lowering) wholeEbtables(parts []firewall.Part) {
	l.comment = "no frame under another MAC address"
	l.addEbtables("drop", "out", libvirtxml.NWFilterRule{MAC: &libvirtxml.NWFilterRuleMAC{Match: "no",
		NWFilterRuleCommonMAC: libvirtxml.NWFilterRuleCommonMAC{SrcMACAddr: text(l.policy.Interface().MAC.String())}, Comment: l.comment}})
	l.infrastructureEbtables()
	for _, part := range parts {
		l.comment = comment(l.policy, part)
		l.ruleEbtables(part.Rule)
	}
	l.comment = ""
	l.add("drop", "inout", dropAllInEbtables, libvirtxml.NWFilterRule{})
}

func (l *lowering) add(action, direction string, priority int, r libvirtxml.NWFilterRule) {
	r.Action, r.Direction, r.Priority = action, direction, priority
	l.filter.Entries = append(l.filter.Entries, libvirtxml.NWFilterEntry{Rule: &r})
}

func (l *lowering) addEbtables(action, direction string, r libvirtxml.NWFilterRule) {
	l.add(action, direction, l.ebtables, r)
	l.ebtables = min(l.ebtables+1, lastInEbtables)
}

func (l *lowering) addIptables(action, direction string, r libvirtxml.NWFilterRule) {
	l.add(action, direction, l.iptables, r)
	l.iptables = min(l.iptables+1, lastInIptables)
}

// size is how many rules the parts become, without the fixed ones.
func size(p *firewall.Policy, parts []firewall.Part) int {
	n := 0
	for _, part := range parts {
		n += part.Pairs() * (2*len(p.Locals(part.V6)) + 1)
	}
	return n
}

// andMore ends a comment that has no room for all lines of the profile.
const andMore = ", and more"

// comment says which lines of the profile asked for a part.
func comment(p *firewall.Policy, part firewall.Part) string {
	s, room := "", maxComment
	if len(part.From) > 1 {
		room -= len(andMore)
	}
	for n, i := range part.From {
		one := p.Rules()[i].Where()
		if n == 0 {
			s = one[max(0, len(one)-room):]
			continue
		}
		if len(s)+len(", ")+len(one) > room {
			return s + andMore
		}
		s += ", " + one
	}
	return s
}

func text(s string) libvirtxml.NWFilterField { return libvirtxml.NWFilterField{Str: s} }

// address writes a as a rule's attribute; libvirt puts the lease in for $IP.
func address(a netip.Addr) libvirtxml.NWFilterField {
	switch {
	case !a.IsValid():
		return libvirtxml.NWFilterField{}
	case a == space.Leased:
		return text("$IP")
	}
	return text(a.String())
}

// prefix writes p as an address attribute and its mask; a prefix of length 0 is
// written as no attribute at all.
func prefix(p netip.Prefix) (addr, mask libvirtxml.NWFilterField) {
	if !p.IsValid() || p.Bits() == 0 {
		return addr, mask
	}
	if !p.IsSingleIP() {
		mask = text(strconv.Itoa(p.Bits()))
	}
	return address(p.Addr()), mask
}

// ports writes an inclusive range of ports.
func ports(low, high uint16) (start, end libvirtxml.NWFilterField) {
	if low == 0 && high == 0xffff {
		return start, end
	}
	if low != high {
		end = text(strconv.Itoa(int(high)))
	}
	return text(strconv.Itoa(int(low))), end
}

// prefixes are the ranges of one family as prefixes.
func prefixes(ranges []space.Range, v6 bool) (out []netip.Prefix) {
	for _, r := range ranges {
		if r.From.Is6() == v6 {
			out = append(out, r.Prefixes()...)
		}
	}
	return out
}
