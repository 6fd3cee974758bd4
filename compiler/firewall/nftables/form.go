package nftables

import (
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// The names of sets; those of a family end in 4 or 6. The sets of one direction hold
// who is spoken to, or speaks: what may be opened that way, and of ICMP what may be
// sent that way.
const (
	arpSenders   = "arp"  // the addresses that ARP may go out for
	ownAddresses = "own"  // the interface's own
	discoverers  = "link" // the addresses that neighbour discovery may go out from
	discoveryOut = "discovery_out"
	discoveryIn  = "discovery_in"

	byPort  = "ports_"  // conversations by protocol and port
	byAny   = "any_"    // conversations of any protocol
	asks    = "ask_"    // requests of ICMP
	replies = "answer_" // replies of ICMP
	faults  = "error_"  // errors of ICMP, about known connections
)

// family is what differs between IPv4 and IPv6.
type family struct {
	v6             bool
	suffix         string
	ether          []byte
	icmp           uint8
	address        Type
	icmpType       Type
	icmpCode       Type
	source, target Field
	kind, code     Field
}

var (
	ipv4 = family{false, "4", []byte{0x08, 0x00}, space.ProtoICMP, IPv4Type, ICMPType, ICMPCode, Source4, Target4, Type4, Code4}
	ipv6 = family{true, "6", []byte{0x86, 0xdd}, space.ProtoICMPv6, IPv6Type, ICMPv6Type, ICMPv6Code, Source6, Target6, Type6, Code6}
)

// families are those that the interface speaks.
func families(p *firewall.Policy) []family {
	return slices.DeleteFunc([]family{ipv4, ipv6}, func(f family) bool { return !p.Has(f.v6) })
}

// chains are those of an interface: the same for whatever its profile allows.
func chains(p *firewall.Policy, device string) []Chain {
	out := chain("out", dropped(Match{Fields: []Field{EtherSource}, Not: true, Value: p.Interface().MAC}))
	in := chain("in")
	list := []Chain{
		base(Prerouting, InDevice, device, "out"),
		base(Postrouting, OutDevice, device, "in"),
	}
	var below []Chain
	if p.Has(false) {
		arp := []byte{0x08, 0x06}
		out.Rules = append(out.Rules, leads("out_arp", is(EtherType, arp...)))
		in.Rules = append(in.Rules, accepted(is(EtherType, arp...)))
		below = append(below, outARP(p))
	}
	for _, f := range families(p) {
		out.Rules = append(out.Rules, leads("out_ip"+f.suffix, is(EtherType, f.ether...)))
		in.Rules = append(in.Rules, leads("in_ip"+f.suffix, is(EtherType, f.ether...)))
		below = append(below, outIP(p, f), inIP(p, f))
	}
	out.Rules = append(out.Rules, dropped())
	in.Rules = append(in.Rules, dropped())
	return slices.Concat(list, []Chain{out, in}, below)
}

// base is the chain that a hook enters.
func base(hook Hook, by Field, device, to string) Chain {
	return Chain{Name: string(hook), Hook: hook, Rules: []Rule{leads(to, is(by, []byte(device)...))}}
}

// outARP lets the interface answer and ask for its own addresses. A leased one is the
// outer wall's to check, which learns it.
func outARP(p *firewall.Policy) Chain {
	matches := []Match{is(ARPHardware, 0, 1), is(ARPProtocol, 0x08, 0x00), is(ARPHardLen, 6), is(ARPProtoLen, 4), is(ARPSource, p.Interface().MAC...)}
	if !p.Interface().DHCP {
		matches = append(matches, in(arpSenders, ARPSourceIP))
	}
	return chain("out_arp", accepted(matches...), dropped())
}

// outIP is what may leave.
func outIP(p *firewall.Policy, f family) Chain {
	c := chain("out_ip" + f.suffix)
	if f.v6 {
		c.Rules = append(c.Rules, accepted(in(discoverers, f.source), is(Protocol, f.icmp), in(discoveryOut, f.kind)))
	}
	c.Rules = append(c.Rules, own(p, f, f.source, dhcp(68, 67))...)
	c.Rules = append(c.Rules, conversations(f, "out", "in", f.target)...)
	return c
}

// inIP is what may come in.
func inIP(p *firewall.Policy, f family) Chain {
	c := chain("in_ip" + f.suffix)
	if f.v6 {
		c.Rules = append(c.Rules, accepted(is(Protocol, f.icmp), in(discoveryIn, f.kind)))
	}
	c.Rules = append(c.Rules, own(p, f, f.target, dhcp(67, 68))...)
	c.Rules = append(c.Rules, conversations(f, "in", "out", f.source)...)
	return c
}

// own drops what is not of the interface's own address. Where that is leased, it is
// not known here; the way to get it is open instead.
func own(p *firewall.Policy, f family, at Field, dhcp Rule) []Rule {
	if !f.v6 && p.Interface().DHCP {
		return []Rule{dhcp}
	}
	m := in(ownAddresses+f.suffix, at)
	m.Not = true
	return []Rule{dropped(m)}
}

// dhcp is the lease's own conversation. No flow matches an offer, so it is not asked
// for one.
func dhcp(from, to byte) Rule {
	return accepted(is(Protocol, space.ProtoUDP), is(SourcePort, 0, from), is(TargetPort, 0, to))
}

// conversations are what passes one way by the rules: what opens a conversation, and
// what answers one of the other way.
func conversations(f family, way, back string, remote Field) []Rule {
	opening := func(m ...Match) Rule {
		return accepted(append(m, state(New, Established), is(CTDirection, Original))...)
	}
	answer := func(m ...Match) Rule { return accepted(append(m, state(Established), is(CTDirection, Reply))...) }
	message := func(set string, states ...State) Rule {
		return accepted(is(Protocol, f.icmp), in(set+way+f.suffix, remote, f.kind, f.code), state(states...))
	}
	return []Rule{
		opening(in(byPort+way+f.suffix, Protocol, remote, TargetPort)),
		answer(in(byPort+back+f.suffix, Protocol, remote, SourcePort)),
		opening(in(byAny+way+f.suffix, remote)),
		answer(in(byAny+back+f.suffix, remote)),
		message(asks, New, Established),
		message(replies, Established),
		message(faults, Related),
		dropped(),
	}
}

func chain(name string, rules ...Rule) Chain { return Chain{Name: name, Rules: rules} }

func accepted(m ...Match) Rule { return Rule{Match: m, Verdict: Accept} }

func dropped(m ...Match) Rule { return Rule{Match: m, Log: true, Verdict: Drop} }

func leads(to string, m ...Match) Rule { return Rule{Match: m, Verdict: Goto, Chain: to} }

func is(f Field, value ...byte) Match { return Match{Fields: []Field{f}, Value: value} }

func in(set string, fields ...Field) Match { return Match{Fields: fields, Set: set} }

func state(s ...State) Match { return Match{Fields: []Field{CTState}, States: s} }
