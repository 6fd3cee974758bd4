package firewall

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// A conversation is known by the packet that opens it, so policies are compared
// by their openings: who may speak to whom, of what. That space has two
// dimensions, the remote address and the service, for each of these.
type topic struct {
	in, v6 bool
	proto  Proto
}

func topics() (out []topic) {
	for _, in := range []bool{true, false} {
		for proto := range numProtos {
			out = append(out, topic{in, false, proto}, topic{in, true, proto})
		}
	}
	return out
}

// universe is the whole of a topic: remote addresses × services.
func (t topic) universe() (b space.Box) {
	b[space.DimSrc] = space.Addresses(space.EveryV4)
	if t.v6 {
		b[space.DimSrc] = space.Full
	}
	b[space.DimDstPort] = space.Span(0, 0xffff)
	return b
}

// openings are the rules as boxes of their topics.
func (p *Policy) openings() map[topic][]space.Clause {
	size := map[topic]int{}
	for _, r := range p.rules {
		for _, remote := range r.Remotes {
			for _, s := range r.Services {
				size[topic{r.In, remote.From.Is6(), s.Proto}]++
			}
		}
	}
	out := map[topic][]space.Clause{}
	for t, n := range size {
		out[t] = make([]space.Clause, 0, n)
	}
	for n, r := range p.rules {
		for _, remote := range r.Remotes {
			for _, s := range r.Services {
				b := space.Everything()
				b[space.DimSrc], b[space.DimDstPort] = space.Addresses(remote), space.Span(uint64(s.Low), uint64(s.High))
				t := topic{r.In, remote.From.Is6(), s.Proto}
				out[t] = append(out[t], space.Clause{Box: b, Verdict: space.Accept, Rule: n})
			}
		}
	}
	return out
}

// Difference is a set of conversations that one policy admits and another does
// not. Those are the pairs of any of Remotes with any of Services.
type Difference struct {
	In       bool
	Remotes  []space.Range
	Services []Service    // of one protocol
	Rule     Rule         // the rule that admits it
	Witness  space.Packet // one packet of the set

	counted Service // the range of ports that a bounded rule counts together
}

// Comparison is what two policies do not have in common.
type Comparison struct {
	Added     []Difference // only the new one admits it
	Removed   []Difference // only the old one does
	Loosened  []Loosening  // the new one admits more of it at once
	Tightened []Loosening  // the old one does
}

// Compare finds exactly what the new policy admits and the old does not, and the
// other way around. Differences are in the order of the rules that admit them.
func Compare(before, after *Policy) Comparison {
	old, new := before.openings(), after.openings()
	var c Comparison
	for _, t := range topics() {
		all := append(make([]space.Clause, 0, len(old[t])+len(new[t])), old[t]...)
		for _, clause := range new[t] {
			clause.List = 1
			all = append(all, clause)
		}
		patches := compareTopic(t, all)
		c.Removed = append(c.Removed, before.differences(t, patches[0])...)
		c.Added = append(c.Added, after.differences(t, patches[1])...)
	}
	c.Added, c.Removed = after.tidy(c.Added), before.tidy(c.Removed)
	c.Loosened, c.Tightened = loosened(before, after), loosened(after, before)
	return c
}

// differences reads the patches of a topic.
func (p *Policy) differences(t topic, patches []*patch) []Difference {
	out := make([]Difference, len(patches))
	for n, patch := range patches {
		d := Difference{In: t.in, Rule: p.rules[patch.rule], Remotes: []space.Range{{From: patch.from.Address(t.v6), To: patch.to.Address(t.v6)}}}
		if d.Rule.Connections > 0 {
			d.counted = Service{t.proto, uint16(patch.ports.Low.Lo), uint16(patch.ports.High.Lo)}
		}
		for _, s := range patch.services {
			d.Services = append(d.Services, Service{t.proto, uint16(s.Low.Lo), uint16(s.High.Lo)})
		}
		out[n] = d
	}
	return out
}

func mergeServices(in []Service) (out []Service) {
	slices.SortFunc(in, func(a, b Service) int { return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Low, b.Low)) })
	for _, s := range in {
		if n := len(out); n > 0 && out[n-1].Proto == s.Proto && int(s.Low) <= int(out[n-1].High)+1 {
			out[n-1].High = max(out[n-1].High, s.High)
			continue
		}
		out = append(out, s)
	}
	return out
}

// tidy joins differences of one rule that agree in their remotes or in their
// services, so that a person reads one line where one change was made, and finds
// each one's witness.
func (p *Policy) tidy(in []Difference) []Difference {
	in = join(in, func(d *Difference) string { return fmt.Sprint(d.Services) },
		func(into, d *Difference) { into.Remotes = space.MergeRanges(append(into.Remotes, d.Remotes...)) })
	in = join(in, func(d *Difference) string { return fmt.Sprint(d.Remotes, d.Services[0].Proto) },
		func(into, d *Difference) { into.Services = mergeServices(append(into.Services, d.Services...)) })
	for i := range in {
		in[i].Witness = p.witness(&in[i])
	}
	written := make(map[string]int, len(p.rules))
	for n, r := range p.rules {
		written[r.Path] = n
	}
	slices.SortStableFunc(in, func(a, b Difference) int { return cmp.Compare(written[a.Rule.Path], written[b.Rule.Path]) })
	return in
}

// join merges the differences of one rule and direction that have the same key.
func join(in []Difference, key func(*Difference) string, merge func(into, d *Difference)) (out []Difference) {
	seen := map[string]int{}
	for _, d := range in {
		k := fmt.Sprintf("%s %v %t %s", d.Rule.Path, d.counted, d.In, key(&d))
		if n, ok := seen[k]; ok {
			merge(&out[n], &d)
			continue
		}
		seen[k] = len(out)
		out = append(out, d)
	}
	return out
}

// Addresses that documentation is free to use (RFC 5737, RFC 3849): they say
// "someone out there" better than 0.0.0.0 does.
var exampleRemotes = []netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8::5")}

// clientPort stands for the port that an opener speaks from.
const clientPort = 40000

// witness makes the packet that opens one of the conversations.
func (p *Policy) witness(d *Difference) space.Packet {
	remote := d.Remotes[0].From
	if remote != d.Remotes[0].To {
		remote = remote.Next() // the first of a range is often the network itself
	}
	service := d.Services[0].typical()
	for _, r := range d.Remotes {
		for _, example := range exampleRemotes {
			if r.From.Is4() == example.Is4() && !example.Less(r.From) && !r.To.Less(example) {
				return p.opener(d.In, example, service)
			}
		}
	}
	return p.opener(d.In, remote, service)
}

// typical is one service of the range that people know: an echo request, or no
// port 0.
func (s Service) typical() Service {
	for _, kind := range []uint16{8 << 8, 128 << 8} {
		if s.Proto == ICMP && s.Low <= kind && kind <= s.High {
			s.Low = kind
			return s
		}
	}
	if s.Proto != ICMP && s.Low == 0 && s.High > 0 {
		s.Low = 1
	}
	return s
}

// opener is the packet with which one side speaks to the other.
func (p *Policy) opener(in bool, remote netip.Addr, s Service) space.Packet {
	packet := space.Packet{In: in, EtherType: space.EtherIPv4, SrcMAC: p.iface.MAC, DstMAC: p.iface.MAC, Src: remote, SrcPort: clientPort, DstPort: s.Low}
	if remote.Is6() {
		packet.EtherType = space.EtherIPv6
	}
	if own := p.Locals(remote.Is6()); len(own) > 0 {
		packet.Dst = own[0]
	}
	if in {
		packet.SrcMAC = someMAC
	} else {
		packet.Src, packet.Dst, packet.DstMAC = packet.Dst, packet.Src, someMAC
	}
	switch s.Proto {
	case TCP:
		packet.Protocol = space.ProtoTCP
	case UDP:
		packet.Protocol = space.ProtoUDP
	case SCTP:
		packet.Protocol = space.ProtoSCTP
	case ICMP:
		packet.Protocol, packet.Type, packet.Code = space.ICMPOf(space.KindOf(packet.EtherType)), uint8(s.Low>>8), uint8(s.Low)
		packet.SrcPort, packet.DstPort = 0, 0
	case Other:
		packet.Protocol, packet.SrcPort, packet.DstPort = 47, 0, 0 // GRE
	}
	return packet
}

// someMAC is another machine's.
var someMAC = []byte{0x02, 0xff, 0, 0, 0, 0xfe}

// String says what the difference is, in words: "in tcp 80, 443 from 10.0.0.0/8".
func (d Difference) String() string {
	words := conversationWords(d.In, d.Services, d.Remotes)
	if d.Rule.Connections > 0 {
		words += fmt.Sprintf(", %d connections at once from one address", d.Rule.Connections)
	}
	return words
}

// String writes the rule in words.
func (r Rule) String() string {
	if r.Any {
		return space.Way(r.In) + " any protocol " + remoteWords(r.In, r.Remotes)
	}
	if r.Connections == 0 {
		return conversationWords(r.In, mergeServices(slices.Clone(r.Services)), r.Remotes)
	}
	words := fmt.Sprintf("%s, %d connections at once from one address", conversationWords(r.In, r.Services, r.Remotes), r.Connections)
	if len(r.Services) > 1 {
		words += " to each"
	}
	return words
}

func conversationWords(in bool, services []Service, remotes []space.Range) string {
	words := make([]string, len(services))
	for i, s := range services {
		words[i] = s.words()
	}
	text := space.Way(in) + " " + services[0].Proto.String()
	if len(words) > 0 && words[0] != "" {
		text += " " + strings.Join(words, ", ")
	}
	return text + " " + remoteWords(in, remotes)
}

// words is the service without its protocol; empty when it is all of it.
func (s Service) words() string {
	switch {
	case s.Low == 0 && s.High == 0xffff:
		return ""
	case s.Proto == ICMP && s.Low == s.High:
		return fmt.Sprintf("type %d/%d", s.Low>>8, s.Low&0xff)
	case s.Proto == ICMP && s.Low>>8 == s.High>>8:
		return fmt.Sprintf("type %d", s.Low>>8)
	case s.Proto == ICMP:
		return fmt.Sprintf("types %d to %d", s.Low>>8, s.High>>8)
	case s.Low == s.High:
		return fmt.Sprint(s.Low)
	}
	return fmt.Sprintf("%d-%d", s.Low, s.High)
}

func remoteWords(in bool, remotes []space.Range) string {
	word := "to "
	if in {
		word = "from "
	}
	if len(remotes) == 2 && remotes[0] == space.EveryV4 && remotes[1] == space.EveryV6 {
		return word + "anyone"
	}
	parts := make([]string, len(remotes))
	for i, r := range remotes {
		switch r {
		case space.EveryV4:
			parts[i] = "anyone over IPv4"
		case space.EveryV6:
			parts[i] = "anyone over IPv6"
		default:
			parts[i] = r.String()
		}
	}
	return word + strings.Join(parts, ", ")
}
