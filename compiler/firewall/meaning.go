package firewall

import (
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Infrastructure marks a clause that no rule of the profile asked for.
const Infrastructure = -1

// meaning writes down which packets a policy admits, apart from how it is
// lowered: exactly where the filter keeps state, and as the residual where it
// cannot.
type meaning struct {
	policy   *Policy
	residual bool // forget states, types of ICMPv4 and codes of ICMP
	exact    bool // ask for the states of ICMPv6, too
	clauses  map[space.Slice][]space.Clause
}

// Admits gives the clauses of everything that the policy lets pass where libvirt's
// packet filter enforces it, which knows no states of ICMPv6.
func (p *Policy) Admits() map[space.Slice][]space.Clause { return p.write(meaning{policy: p}) }

// Exact gives the clauses of everything that the policy lets pass where the inner wall
// enforces it, too: of ICMPv6, as of ICMP, only replies to what was asked, and errors
// about known connections.
func (p *Policy) Exact() map[space.Slice][]space.Clause {
	return p.write(meaning{policy: p, exact: true})
}

// Residual gives the clauses of what passes where only ebtables stands: packets
// from the host and by way of its routing, and all packets of a host whose
// bridge-nf-call is 0. It is the policy without the state of connections and
// without the types of ICMPv4 and the codes of ICMP, which ebtables cannot see.
// So someone who may be spoken to can send packets from the port that he may be
// spoken to on, and someone who may speak can be sent packets from the port that
// he may speak to.
func (p *Policy) Residual() map[space.Slice][]space.Clause {
	return p.write(meaning{policy: p, residual: true})
}

func (p *Policy) write(m meaning) map[space.Slice][]space.Clause {
	m.clauses = map[space.Slice][]space.Clause{}
	m.infrastructure()
	for n, r := range p.rules {
		m.rule(n, r)
	}
	return m.clauses
}

// The states that a packet of a conversation can have.
var (
	opening = []space.State{space.New, space.Original}
	asking  = []space.State{space.New, space.Original, space.Reply} // libvirt asks no direction of a typed ICMP message
	answer  = []space.State{space.Reply}
	replies = []space.State{space.Original, space.Reply}
	related = []space.State{space.Related}
)

// admit adds the box to what passes in one direction. What leaves must carry
// the interface's own MAC address. No states means all.
func (m *meaning) admit(in bool, k space.Kind, b space.Box, rule int, states []space.State) {
	if !in {
		b[space.DimSrcMAC] = space.Single(space.MacValue(m.policy.iface.MAC))
	}
	s := space.Slice{In: in, Kind: k}
	add := func(b space.Box) {
		m.clauses[s] = append(m.clauses[s], space.Clause{Box: b, Verdict: space.Accept, Rule: rule})
	}
	if m.residual || len(states) == 0 {
		add(b)
		return
	}
	b[space.DimState] = space.Span(uint64(states[0]), uint64(states[len(states)-1])) // they are neighbours
	add(b)
}

// talk is the box of what the remote sends to the interface's own address.
func talk(remote space.Range, own space.Interval) space.Box {
	b := space.Everything()
	b[space.DimSrc], b[space.DimDst] = space.Addresses(remote), own
	return b
}

func (m *meaning) rule(n int, r Rule) {
	for _, remote := range r.Remotes {
		v6 := remote.From.Is6()
		k := space.KindV4
		if v6 {
			k = space.KindV6
		}
		for _, own := range m.policy.Locals(v6) {
			b := talk(remote, space.Single(space.AddressValue(own)))
			if r.Any {
				m.conversation(r.In, k, b, n)
				continue
			}
			for _, s := range r.Services {
				m.service(r.In, k, b, s, n)
			}
		}
	}
}

// conversation admits the box in the rule's direction and the answers to it.
func (m *meaning) conversation(in bool, k space.Kind, incoming space.Box, n int) {
	if in {
		m.admit(true, k, incoming, n, opening)
		m.admit(false, k, incoming.Reversed(), n, answer)
		return
	}
	// The box speaks of what comes in, so the ports of the service stand in it
	// as a source.
	m.admit(false, k, incoming.Reversed(), n, opening)
	m.admit(true, k, incoming, n, answer)
}

func (m *meaning) service(in bool, k space.Kind, b space.Box, s Service, n int) {
	if s.Proto == ICMP {
		m.icmp(in, k, b, s, n)
		return
	}
	b[space.DimProto] = space.Single(space.Number(map[Proto]uint64{TCP: space.ProtoTCP, UDP: space.ProtoUDP, SCTP: space.ProtoSCTP}[s.Proto]))
	where := space.DimDstPort
	if !in {
		where = space.DimSrcPort
	}
	b[where] = space.Span(uint64(s.Low), uint64(s.High))
	m.conversation(in, k, b, n)
}

func (m *meaning) icmp(in bool, k space.Kind, b space.Box, s Service, n int) {
	b[space.DimProto] = space.Single(space.Number(uint64(space.ICMPOf(k))))
	there, back := b, b.Reversed()
	if !in {
		there, back = back, there
	}
	kind, table := uint8(s.Low>>8), ICMPv4
	if k == space.KindV6 {
		table = ICMPv6
	}
	reply, request := ICMPReply(table, kind)
	there[space.DimDstPort] = space.Span(uint64(s.Low), uint64(s.High))
	back[space.DimDstPort] = space.Span(uint64(reply)<<8, uint64(reply)<<8|0xff)
	there[space.DimSrcPort], back[space.DimSrcPort] = space.Full, space.Full
	if m.residual {
		there[space.DimDstPort] = m.blurred(k, kind)
		back[space.DimDstPort] = m.blurred(k, reply)
	}
	if !request {
		m.admit(in, k, there, n, m.tracked(k, related))
		return
	}
	m.admit(in, k, there, n, asking)
	m.admit(!in, k, back, n, m.tracked(k, replies))
}

// blurred is what ebtables sees of an ICMP type.
func (m *meaning) blurred(k space.Kind, kind uint8) space.Interval {
	if k == space.KindV4 {
		return space.Full
	}
	return space.Span(uint64(kind)<<8, uint64(kind)<<8|0xff)
}

// tracked is states where rules can ask for them: libvirt's schema knows none
// for IPv6.
func (m *meaning) tracked(k space.Kind, states []space.State) []space.State {
	if k == space.KindV6 && !m.exact {
		return nil
	}
	return states
}

// infrastructure admits what addresses need to work at all; lower_a.go says why.
func (m *meaning) infrastructure() {
	p := m.policy
	if p.Has(false) {
		m.arp()
	}
	if p.iface.DHCP {
		m.dhcp()
	}
	if p.Speaks(false) {
		for _, own := range p.Locals(false) {
			m.errors(space.KindV4, talk(space.EveryV4, space.Single(space.AddressValue(own))), ErrorsInV4)
		}
	}
	if p.Has(true) {
		for _, t := range DiscoveryIn {
			m.message(true, space.Everything(), t, nil, space.KindV6)
		}
		for _, own := range p.DiscoverySources() {
			b := space.Everything()
			b[space.DimSrc] = space.Single(space.AddressValue(own))
			for _, t := range DiscoveryOut {
				m.message(false, b, t, nil, space.KindV6)
			}
		}
	}
	if p.Speaks(true) {
		for _, own := range p.Locals(true) {
			m.errors(space.KindV6, talk(space.EveryV6, space.Single(space.AddressValue(own))), ErrorsInV6)
		}
	}
}

func (m *meaning) errors(k space.Kind, b space.Box, types []int) {
	for _, t := range types {
		m.message(true, b, t, m.tracked(k, related), k)
	}
}

// message admits one type of the family's ICMP.
func (m *meaning) message(in bool, b space.Box, kind int, states []space.State, k space.Kind) {
	b[space.DimProto] = space.Single(space.Number(uint64(space.ICMPOf(k))))
	b[space.DimDstPort] = space.Span(uint64(kind)<<8, uint64(kind)<<8|0xff)
	if m.residual {
		b[space.DimDstPort] = m.blurred(k, uint8(kind))
	}
	m.admit(in, k, b, Infrastructure, states)
}

func (m *meaning) arp() {
	m.admit(true, space.KindARP, space.Everything(), Infrastructure, nil)
	for _, own := range append(m.policy.Locals(false), space.EveryV4.From) {
		b := space.Everything()
		b[space.DimSrc] = space.Single(space.AddressValue(own))
		b[space.DimSrcPort] = space.Single(space.MacValue(m.policy.iface.MAC))
		m.admit(false, space.KindARP, b, Infrastructure, nil)
	}
}

// dhcp admits the lease's own conversation: from no address yet, or to renew.
func (m *meaning) dhcp() {
	b := space.Everything()
	b[space.DimProto] = space.Single(space.Number(space.ProtoUDP))
	b[space.DimSrcPort], b[space.DimDstPort] = space.Span(67, 67), space.Span(68, 68)
	m.admit(true, space.KindV4, b, Infrastructure, nil)
	for _, own := range []space.Range{{From: space.EveryV4.From, To: space.EveryV4.From}, {From: space.Leased, To: space.Leased}} {
		out := b.Reversed()
		out[space.DimSrc] = space.Addresses(own)
		m.admit(false, space.KindV4, out, Infrastructure, nil)
	}
}
