package firewall

// infrastructure marks a clause that no rule of the profile asked for.
const infrastructure = -1

// meaning writes down which packets a policy admits, apart from how it is
// lowered: exactly where the filter keeps state, and as the residual where it
// cannot.
type meaning struct {
	policy   *Policy
	residual bool // forget states, types of ICMPv4 and codes of ICMP
	clauses  map[slice][]clause
}

// admits gives the clauses of everything that the policy lets pass.
func (p *Policy) admits() map[slice][]clause { return p.write(false) }

// residual gives the clauses of what passes where only layer A stands: packets
// from the host and by way of its routing, and all packets of a host whose
// bridge-nf-call is 0. It is the policy without the state of connections and
// without the types of ICMPv4 and the codes of ICMP, which layer A cannot see.
// So someone who may be spoken to can send packets from the port that he may be
// spoken to on, and someone who may speak can be sent packets from the port that
// he may speak to.
func (p *Policy) residual() map[slice][]clause { return p.write(true) }

func (p *Policy) write(residual bool) map[slice][]clause {
	m := meaning{policy: p, residual: residual, clauses: map[slice][]clause{}}
	m.infrastructure()
	for n, r := range p.rules {
		m.rule(n, r)
	}
	return m.clauses
}

// The states that a packet of a conversation can have.
var (
	opening = []State{New, Original}
	asking  = []State{New, Original, Reply} // libvirt asks no direction of a typed ICMP message
	answer  = []State{Reply}
	replies = []State{Original, Reply}
	related = []State{Related}
)

// admit adds the box to what passes in one direction. What leaves must carry
// the card's own MAC address. No states means all.
func (m *meaning) admit(in bool, k kind, b box, rule int, states []State) {
	if !in {
		b[dSrcMAC] = single(macValue(m.policy.iface.MAC))
	}
	s := slice{in, k}
	add := func(b box) {
		m.clauses[s] = append(m.clauses[s], clause{box: b, verdict: accept, rule: rule})
	}
	if m.residual || len(states) == 0 {
		add(b)
		return
	}
	b[dState] = span(uint64(states[0]), uint64(states[len(states)-1])) // they are neighbours
	add(b)
}

// talk is the box of what the remote sends to the card's own address.
func talk(remote Range, own interval) box {
	b := everything()
	b[dSrc], b[dDst] = addresses(remote), own
	return b
}

func (m *meaning) rule(n int, r Rule) {
	for _, remote := range r.Remotes {
		v6 := remote.From.Is6()
		k := kindV4
		if v6 {
			k = kindV6
		}
		for _, own := range m.policy.locals(v6) {
			b := talk(remote, single(addressValue(own)))
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
func (m *meaning) conversation(in bool, k kind, incoming box, n int) {
	if in {
		m.admit(true, k, incoming, n, opening)
		m.admit(false, k, incoming.reversed(), n, answer)
		return
	}
	// The box speaks of what comes in, so the ports of the service stand in it
	// as a source.
	m.admit(false, k, incoming.reversed(), n, opening)
	m.admit(true, k, incoming, n, answer)
}

func (m *meaning) service(in bool, k kind, b box, s Service, n int) {
	if s.Proto == ICMP {
		m.icmp(in, k, b, s, n)
		return
	}
	b[dProto] = single(number(map[Proto]uint64{TCP: ipTCP, UDP: ipUDP, SCTP: ipSCTP}[s.Proto]))
	where := dDstPort
	if !in {
		where = dSrcPort
	}
	b[where] = span(uint64(s.Low), uint64(s.High))
	m.conversation(in, k, b, n)
}

func (m *meaning) icmp(in bool, k kind, b box, s Service, n int) {
	b[dProto] = single(number(uint64(icmpOf(k))))
	there, back := b, b.reversed()
	if !in {
		there, back = back, there
	}
	kind, table := uint8(s.Low>>8), icmpV4
	if k == kindV6 {
		table = icmpV6
	}
	reply, request := icmpReply(table, kind)
	there[dDstPort] = span(uint64(s.Low), uint64(s.High))
	back[dDstPort] = span(uint64(reply)<<8, uint64(reply)<<8|0xff)
	there[dSrcPort], back[dSrcPort] = full, full
	if m.residual {
		there[dDstPort] = m.blurred(k, kind)
		back[dDstPort] = m.blurred(k, reply)
	}
	if !request {
		m.admit(in, k, there, n, m.tracked(k, related))
		return
	}
	m.admit(in, k, there, n, asking)
	m.admit(!in, k, back, n, m.tracked(k, replies))
}

// blurred is what layer A sees of an ICMP type.
func (m *meaning) blurred(k kind, kind uint8) interval {
	if k == kindV4 {
		return full
	}
	return span(uint64(kind)<<8, uint64(kind)<<8|0xff)
}

// tracked is states where rules can ask for them: libvirt's schema knows none
// for IPv6.
func (m *meaning) tracked(k kind, states []State) []State {
	if k == kindV6 {
		return nil
	}
	return states
}

// infrastructure admits what addresses need to work at all; lower_a.go says why.
func (m *meaning) infrastructure() {
	p := m.policy
	if p.has(false) {
		m.arp()
	}
	if p.iface.DHCP {
		m.dhcp()
	}
	if p.speaks(false) {
		for _, own := range p.locals(false) {
			m.errors(kindV4, talk(everyV4, single(addressValue(own))), errorsInV4)
		}
	}
	if p.has(true) {
		for _, t := range discoveryIn {
			m.message(true, everything(), t, nil, kindV6)
		}
		for _, own := range p.discoverySources() {
			b := everything()
			b[dSrc] = single(addressValue(own))
			for _, t := range discoveryOut {
				m.message(false, b, t, nil, kindV6)
			}
		}
	}
	if p.speaks(true) {
		for _, own := range p.locals(true) {
			m.errors(kindV6, talk(everyV6, single(addressValue(own))), errorsInV6)
		}
	}
}

func (m *meaning) errors(k kind, b box, types []int) {
	for _, t := range types {
		m.message(true, b, t, m.tracked(k, related), k)
	}
}

// message admits one type of the family's ICMP.
func (m *meaning) message(in bool, b box, kind int, states []State, k kind) {
	b[dProto] = single(number(uint64(icmpOf(k))))
	b[dDstPort] = span(uint64(kind)<<8, uint64(kind)<<8|0xff)
	if m.residual {
		b[dDstPort] = m.blurred(k, uint8(kind))
	}
	m.admit(in, k, b, infrastructure, states)
}

func (m *meaning) arp() {
	m.admit(true, kindARP, everything(), infrastructure, nil)
	for _, own := range append(m.policy.locals(false), everyV4.From) {
		b := everything()
		b[dSrc] = single(addressValue(own))
		b[dSrcPort] = single(macValue(m.policy.iface.MAC))
		m.admit(false, kindARP, b, infrastructure, nil)
	}
}

// dhcp admits the lease's own conversation: from no address yet, or to renew.
func (m *meaning) dhcp() {
	b := everything()
	b[dProto] = single(number(ipUDP))
	b[dSrcPort], b[dDstPort] = span(67, 67), span(68, 68)
	m.admit(true, kindV4, b, infrastructure, nil)
	for _, own := range []Range{{everyV4.From, everyV4.From}, {leased, leased}} {
		out := b.reversed()
		out[dSrc] = addresses(own)
		m.admit(false, kindV4, out, infrastructure, nil)
	}
}
