package nftables

import (
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// The names of sets, whose ends say the family, and for most the way: who may be
// spoken to, or speak, and of ICMP what may be sent that way.
const (
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

// The ways that packets go, as the names of chains and sets say them.
const (
	wayOut = "out"
	wayIn  = "in"
)

// chains are those of an interface: the same for whatever its profile allows.
func chains(p *firewall.Policy, device string) []Chain {
	arp := []byte{0x08, 0x06}
	out, in := Chain{Name: wayOut}, Chain{Name: wayIn}
	out.add(refused(wayOut, Match{Fields: []Field{EtherSource}, Not: true, Value: Value(p.Interface().MAC)}))
	var below []Chain
	if p.Has(false) {
		out.add(leads("out_arp", is(EtherType, arp...)))
		in.add(accepted(is(EtherType, arp...)))
		below = append(below, outARP(p))
	}
	for _, f := range families(p) {
		for _, c := range []*Chain{&out, &in} {
			c.add(leads(c.Name+"_ip"+f.suffix, is(EtherType, f.ether...)))
		}
		below = append(below, outIP(p, f), conversations(f, wayOut, wayIn, f.target), inIP(p, f), conversations(f, wayIn, wayOut, f.source))
	}
	out.add(refused(wayOut))
	in.add(refused(wayIn))
	return slices.Concat([]Chain{base(Prerouting, InDevice, device, wayOut), base(Postrouting, OutDevice, device, wayIn), out, in},
		below, []Chain{refusal(wayOut), refusal(wayIn)})
}

// base is the chain that a hook enters.
func base(hook Hook, by Field, device, to string) Chain {
	return Chain{Name: string(hook), Hook: hook, Rules: []Rule{leads(to, is(by, []byte(device)...))}}
}

// outARP lets the interface answer and ask for its own addresses; 0.0.0.0 is the
// sender of a probe for one that is not held yet (RFC 5227). A leased one is the outer
// wall's to check, which learns it.
func outARP(p *firewall.Policy) Chain {
	c := Chain{Name: "out_arp"}
	form := []Match{is(ARPHardware, 0, 1), is(ARPProtocol, 0x08, 0x00), is(ARPHardLen, 6), is(ARPProtoLen, 4), is(ARPSource, p.Interface().MAC...)}
	if p.Interface().DHCP {
		c.add(accepted(form...), refused(wayOut))
		return c
	}
	for _, own := range append(p.Locals(false), space.EveryV4.From) {
		c.add(accepted(append(slices.Clip(form), is(ARPSourceIP, own.AsSlice()...))...))
	}
	c.add(refused(wayOut))
	return c
}

// outIP is what may leave, before it is asked what it is about.
func outIP(p *firewall.Policy, f family) Chain {
	c := Chain{Name: "out_ip" + f.suffix}
	if f.v6 {
		c.add(accepted(is(Protocol, f.icmp), in(discoveryOut, f.source, f.kind)))
	}
	c.own(p, f, wayOut, f.source, dhcp(68, 67))
	return c
}

// inIP is what may come in, likewise.
func inIP(p *firewall.Policy, f family) Chain {
	c := Chain{Name: "in_ip" + f.suffix}
	if f.v6 {
		c.add(accepted(is(Protocol, f.icmp), in(discoveryIn, f.kind, f.code)))
	}
	c.own(p, f, wayIn, f.target, dhcp(67, 68))
	return c
}

// own goes on with what is of the interface's own addresses. A leased one is not known
// here, and the way to get it is open instead.
func (c *Chain) own(p *firewall.Policy, f family, way string, at Field, dhcp Rule) {
	to := talking(way, f)
	if !f.v6 && p.Interface().DHCP {
		c.add(dhcp, leads(to))
		return
	}
	for _, a := range p.Locals(f.v6) {
		c.add(leads(to, is(at, a.AsSlice()...)))
	}
	c.add(refused(way))
}

// dhcp is the lease's own conversation. No flow matches an offer, so it is not asked
// for one.
func dhcp(from, to byte) Rule {
	return accepted(is(Protocol, space.ProtoUDP), is(SourcePort, 0, from), is(TargetPort, 0, to))
}

// talking is the chain of one way's conversations.
func talking(way string, f family) string { return way + "_rules" + f.suffix }

// conversations are what passes one way by the rules: what opens a conversation, and
// what answers one of the other way.
func conversations(f family, way, back string, remote Field) Chain {
	opening := func(m Match) Rule { return accepted(state(New, Established), is(CTDirection, Original), m) }
	answer := func(m Match) Rule { return accepted(state(Established), is(CTDirection, Reply), m) }
	message := func(set string, states ...State) Rule {
		return accepted(state(states...), is(Protocol, f.icmp), in(set+way+f.suffix, remote, f.kind, f.code))
	}
	return Chain{Name: talking(way, f), Rules: []Rule{
		opening(in(byPort+way+f.suffix, remote, TargetPort, Protocol)),
		answer(in(byPort+back+f.suffix, remote, SourcePort, Protocol)),
		opening(in(byAny+way+f.suffix, remote, Protocol)),
		answer(in(byAny+back+f.suffix, remote, Protocol)),
		message(asks, New, Established),
		message(replies, Established),
		message(faults, Related),
		refused(way),
	}}
}

// refusal is where everything goes that is not accepted.
func refusal(way string) Chain {
	return Chain{Name: "refused_" + way, Rules: []Rule{{Log: true, Verdict: Drop}}}
}

func refused(way string, m ...Match) Rule { return leads("refused_"+way, m...) }

func accepted(m ...Match) Rule { return Rule{Match: m, Verdict: Accept} }

func leads(to string, m ...Match) Rule { return Rule{Match: m, Verdict: Goto, Chain: to} }

func is(f Field, value ...byte) Match { return Match{Fields: []Field{f}, Value: value} }

func in(set string, fields ...Field) Match { return Match{Fields: fields, Set: set} }

func state(s ...State) Match { return Match{Fields: []Field{CTState}, States: s} }

func (c *Chain) add(rules ...Rule) { c.Rules = append(c.Rules, rules...) }
